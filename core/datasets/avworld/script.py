"""What is known about a clip: its picture, its sounds, its captions, and where the sound matters."""

from pydantic import BaseModel, ConfigDict

from core.datasets.avworld.world import FPS, Stratum


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Segment(_Record):
    """A stretch of the picture that shows one object."""

    start: int
    """First frame."""
    end: int
    """One past the last frame."""
    colour: str
    """Colour of the object."""
    companion: str
    """Colour of the smaller object in a corner."""
    motion: str
    """What the object does."""
    ringed: bool
    """Two white arcs surround the object: it visibly sounds."""
    radius: float
    """Radius of the object in pixels."""
    corner: int
    """Corner of the companion, 0 to 3."""
    phase: float
    """Start of the motion's cycle, 0 to 1."""

    @property
    def seconds(self) -> tuple[float, float]:
        """Start and end in seconds."""
        return self.start / FPS, self.end / FPS


class DrawnPicture(_Record):
    """Everything that the pixels of a clip depend on."""

    scene: str
    """The background."""
    seed: int
    """Seed of the background's texture."""
    segments: tuple[Segment, ...]
    """Two to four, one after the other, from the first frame to the last."""


class PlayedSound(_Record):
    """One sound over a span of the clip."""

    name: str
    """One of `grammar.SOUNDS` or `grammar.FILLERS`, `grammar.CUE` or `grammar.DECOY`."""
    start: float
    """Start in seconds."""
    end: float
    """End in seconds."""
    level: float
    """Loudness in dB above or below the reference level."""
    seed: int
    """Seed of pitch, rhythm and noise."""


class Mention(_Record):
    """What a caption says of one object."""

    colour: str
    """Colour of the object, always said."""
    companion: str | None = None
    """Colour of its companion, if said."""
    motion: str | None = None
    """What it does, if said."""


class WrittenCaption(_Record):
    """A sentence about a clip, and the facts that it mentions."""

    text: str
    """The sentence."""
    scene: str | None
    """The background, if mentioned."""
    objects: tuple[Mention, ...]
    """The objects that are mentioned, in order; in a `SoundWorld` all of them."""
    sound: str | None
    """The sound, if mentioned."""


class ScriptedClip(_Record):
    """The script of one clip; a line of `scripts.jsonl`."""

    id: str
    """Unique within the world; also the name of the media file."""
    group: str
    """Clips of one group have identical pixels, or pixels that are alike but for what is asked."""
    stratum: Stratum
    """What the clip is to show, e.g. why sound matters here."""
    picture: DrawnPicture
    """What is seen."""
    sounds: tuple[PlayedSound, ...]
    """What is heard, in order; empty for a clip without a sound track."""
    floor: float
    """Noise floor of the sound track in dB below full scale."""
    relevant: tuple[tuple[float, float], ...]
    """Spans in seconds in which the sound matters for the captions."""
    captions: tuple[WrittenCaption, ...]
    """The sentences that describe the clip."""

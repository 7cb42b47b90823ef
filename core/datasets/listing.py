"""What the annotation files of a data set say, before any media file is looked for."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from core.dataset import Split, Video
from core.datasets.holdout import held_out
from core.media.sound_source import SoundSource, StatesFile


class Row(NamedTuple):
    """A caption and its video."""

    video: str
    """Name of the video."""
    caption: str
    """Its caption or paragraph."""


@dataclass(frozen=True)
class Listing:
    """A data set as its annotation files list it."""

    splits: Mapping[str, Sequence[Row]]
    """Rows of each split in the order of the files, which is the order of results: ties depend on it."""
    file_names: Callable[[str], Sequence[str]]
    """Names that a video's file may have, the best first."""
    files: Sequence[Path]
    """The annotation files that were read."""
    protocol: Mapping[str, str]
    """What names the protocol in a result."""
    end: float | None = None
    """Seconds after which a clip is cut off; None keeps it whole."""
    expected: Mapping[str, tuple[int | None, int | None]] = field(default_factory=dict)
    """Videos and captions that published copies have, by split ("train + val" where `val` is held out of
    `train`); None where they are not known."""
    notes: Sequence[str] = ()
    """What a user should know of how the files were read, in lines: columns passed over, splits dealt out."""
    speech: Mapping[str, str] | None = None
    """What is said in each video in which anything is; None where the files do not tell."""

    @property
    def videos(self) -> list[str]:
        """The videos of all splits, each once."""
        return list(dict.fromkeys(row.video for rows in self.splits.values() for row in rows))


def split_of(
    rows: Sequence[Row], paths: Mapping[str, Path], end: float | None, sounds: Mapping[str, Path] | None
) -> Split:
    """The split of some rows: videos in the order in which they first come, captions in that of the rows.

    A video without a path is absent and keeps its bare name as its path. One without a path in `sounds` has
    no sound; None: all have their own tracks.
    """
    position: dict[str, int] = {}
    for row in rows:
        position.setdefault(row.video, len(position))

    def sound(name: str) -> SoundSource:
        if sounds is None:
            return "own track"
        path = sounds.get(name)
        return "none" if path is None else StatesFile(path) if holds_states(path) else path

    return Split(
        videos=tuple(
            Video(name, paths.get(name, Path(name)), end=end, sound=sound(name)) for name in position
        ),
        captions=tuple(row.caption for row in rows),
        video_of_caption=tuple(position[row.video] for row in rows),
        absent=frozenset(number for name, number in position.items() if name not in paths),
    )


def with_validation(
    train: Sequence[Row],
    test: Sequence[Row],
    name: str,
    share: float,
    *,
    source: Mapping[str, str] | None = None,
    first_caption: bool = False,
) -> dict[str, Sequence[Row]]:
    """The splits of a data set without a validation part: `val` is held out of `train`.

    With `first_caption` every video of `val` keeps only its first caption, as where the test has one each.
    """
    chosen = held_out(list(dict.fromkeys(row.video for row in train)), share, name, source)
    kept = [row for row in train if row.video not in chosen]
    if not kept:  # nothing would be left to train on
        return {"train": train, "test": test}
    val = [row for row in train if row.video in chosen]
    if first_caption:
        val = list({row.video: row for row in reversed(val)}.values())[::-1]
    return {"train": kept, **({"val": val} if val else {}), "test": test}


def holds_states(path: Path) -> bool:
    """Whether a file apart from the videos holds an audio encoder's states, by its name."""
    return path.suffix.lower() == STATES_SUFFIX


def in_containers(stem: str, *preferred: str) -> list[str]:
    """File names of a stem: with the preferred extensions first, then with every other usual one."""
    return [stem + extension for extension in dict.fromkeys((*preferred, *CONTAINERS))]


STATES_SUFFIX = ".pt"
"""Extension of the files that hold an audio encoder's states in place of sound."""
_USUAL = ".mp4 .webm .mkv .avi .mov .m4v .mpg .mpeg .wmv .flv .3gp"
_RARE = (
    ".ts .mts .m2ts .m2t .mp4v .qt .ogv .ogm .vob .asf .3g2 .f4v .mpe .m1v .m2v .m2p .mpv .mp2v .mod .tod "
    ".trp .tp .dv .dif .divx .xvid .rm .rmvb .mxf .gxf .mk3d .mj2 .mjpeg .mjpg .mjp .ismv .amv .nut .ivf "
    ".nsv .wtv .y4m .swf .h261 .h263 .h264 .264 .avc .h26l .h265 .265 .hevc .h266 .266 .vvc .psp .obu "
    ".vc1 .gif .apng .avif .ism .avs .avs2 .avs3 .evc .apv .dav .ty .viv .flm .ser .cine .flc .fli .roq .smk "
    ".bik .usm .xmv .kux .moflex"
)
CONTAINERS = (*_USUAL.split(), *_RARE.split())
"""Extensions of the containers that FFmpeg reads pictures from, in lower case, the best first."""

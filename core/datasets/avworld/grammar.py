"""The words of the world and the sentences made of them.

A caption reads `[in the SCENE] a COLOUR thing [with a COLOUR companion] [MOTION], then ...[; SOUND]`.
The sound stands behind a semicolon because it says that it is heard, not when.
"""

import re
from collections.abc import Sequence

from core.datasets.avworld.script import Mention

COLOURS = ("red", "yellow", "green", "cyan", "blue", "purple", "pink", "black")
MOTIONS = ("slides", "bounces", "spins", "grows", "blinks")
SCENES = ("forest", "desert", "sea", "city", "snow", "cave")

SOUND_PHRASES: dict[str, tuple[str, str]] = {
    "siren": ("a siren wails", "an alarm howls"),
    "bell": ("a bell rings", "chimes toll"),
    "drum": ("a drum beats", "somebody pounds a rhythm"),
    "birds": ("birds sing", "something chirps"),
    "engine": ("an engine runs", "a motor rumbles"),
    "rain": ("rain falls", "a shower patters"),
    "rising": ("a melody rises", "the notes climb"),
    "falling": ("a melody sinks", "the notes descend"),
    "speech": ("someone talks", "a voice speaks"),
    "clock": ("a clock ticks", "a metronome clicks"),
    "buzzer": ("a buzzer sounds", "a doorbell drones"),
    "whistle": ("a whistle blows", "a kettle shrieks"),
}
"""Two ways to name each sound; only these sounds are ever named."""
SOUNDS = tuple(SOUND_PHRASES)
FILLERS = ("noise", "music")
"""Sounds that no caption names."""
CUE = "high pips"
"""Marks the sound that matters where its source is out of view, as rings do in the picture; never named."""
DECOY = "low pips"
"""Covers a sound as much as `CUE` does, and means nothing."""

MAX_TOKENS = 38
"""Longest caption in tokens: a context of 40 with its two end marks."""


def tokens(text: str) -> list[str]:
    """The words and punctuation marks of a text.

    >>> tokens("a red thing, then a blue thing; birds sing")
    ['a', 'red', 'thing', ',', 'then', 'a', 'blue', 'thing', ';', 'birds', 'sing']
    """
    return re.findall(r"\w+|[^\w\s]", text.lower())


def written_sentence(scene: str | None, objects: Sequence[Mention], phrase: str | None) -> str:
    """The caption that mentions a scene, the objects in their order, and a sound."""
    sequence = ", then ".join(map(_thing, objects))
    return (f"in the {scene} " if scene else "") + sequence + (f"; {phrase}" if phrase else "")


def _thing(mention: Mention) -> str:
    companion = f" with a {mention.companion} companion" if mention.companion else ""
    return f"a {mention.colour} thing{companion}" + (f" {mention.motion}" if mention.motion else "")


def vocabulary() -> list[str]:
    """Every token that a caption can contain, sorted."""
    skeleton = written_sentence("x", [Mention(colour="x", companion="x", motion="x")] * 2, "x")
    phrases = [phrase for pair in SOUND_PHRASES.values() for phrase in pair]
    return sorted({*tokens(" ".join([skeleton, *phrases, *COLOURS, *MOTIONS, *SCENES]))} - {"x"})

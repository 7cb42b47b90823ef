"""What is wrong with a media file that decodes all the same, in words: named in checks, runs and reports."""

from collections.abc import Mapping
from typing import Literal

from core.media.counting import Packets
from core.media.decoders import Tally
from core.media.demuxing import Window
from core.media.listening import Heard

FileState = Literal["incomplete", "damaged", "picture ends early", "stated rate wrong"]
"""`incomplete`: the header states more than the file has; `damaged`: parts of it do not decode; `picture
ends early`: the sound goes on without it; `stated rate wrong`: frames come at another rate than stated."""
States = Mapping[FileState, str]
"""Each state that a file is in, with the reason."""

LACKS_SHARE = 0.1
LACKS_SECONDS = 1.0
"""A file is incomplete where it has less than it states by more than both."""
EARLY_SECONDS = 0.5
"""Sound that outlasts the picture by this much, or ends so long before it; codecs' own padding is below."""
RATE_SHARE = 0.1
"""Difference of the measured from the stated rate beyond which the latter is wrong."""
FEWEST = 3
"""Frames from which a rate can be measured."""
HIDDEN_FRAMES = ("vp8", "vp9", "av1", "mpeg4")
"""Codecs with packets that are not meant to give a frame."""
MISSING_SHARE = 0.02
"""Packets without a frame that a decoder may swallow at a break between scenes."""


def picture_states(
    packets: Packets, tally: Tally, codec: str, end: float, sound_end: float, window: Window
) -> dict[FileState, str]:
    """The states of a clip whose picture ends at second `end` and whose sound ends at `sound_end`."""
    found: dict[FileState, str] = {}
    if lacking := lacks(packets.stated_seconds, packets.present_seconds, window):
        found["incomplete"] = lacking
    if broken := damage(tally, codec, window):
        found["damaged"] = broken
    gap = packets.times[-1] - packets.times[-2] if len(packets.times) > 1 else 0.0
    if sound_end > end + max(EARLY_SECONDS, gap):  # the last of frames that come slowly stays as long
        found["picture ends early"] = f"{sound_end - end:.1f} s before its sound; its last frame stays"
    if wrong := wrong_rate(packets):
        found["stated rate wrong"] = wrong
    return found


def sound_states(heard: Heard, whole_file: bool, window: Window) -> dict[FileState, str]:
    """The states of a clip's sound; `whole_file` says that its file has all that its header states."""
    found: dict[FileState, str] = {}
    tally = heard.tally
    present = heard.sound.end + window[0]
    if tally.refused and heard.sound.planes.size:
        found["damaged"] = f"{tally.refused:,} of {tally.packets:,} pieces of its sound do not decode"
    elif whole_file and heard.sound.planes.size and (less := lacks(heard.stated, present, window)):
        found["damaged"] = f"its sound breaks off: {less}"
    return found


def joined_states(one: States, other: States) -> States:
    """The states of both, with both reasons where they share one."""
    return {
        state: "; ".join(found[state] for found in (one, other) if state in found)
        for state in (*one, *(state for state in other if state not in one))
    }


def lacks(stated: float | None, present: float, window: Window) -> str:
    """What a file has of what it states, e.g. "3.9 of 8.0 s are there"; empty where nothing is missing."""
    if stated is None:
        return ""
    expected = stated if window[1] is None else min(stated, window[1])
    missing = expected - present
    if missing > LACKS_SECONDS and missing > LACKS_SHARE * expected:
        return f"{present:.1f} of {expected:.1f} s are there"
    return ""


def damage(tally: Tally, codec: str, window: Window) -> str:
    """What of a picture does not decode, e.g. "31 of 80 frames do not decode"; empty where all does."""
    if tally.refused:
        return f"{tally.refused:,} of {tally.packets:,} frames do not decode"
    if window[0] > 0:  # frames before the first key frame of a part are no damage
        return ""
    if tally.corrupt:
        return f"{tally.corrupt:,} of {tally.frames:,} frames are corrupt"
    missing = tally.packets - tally.frames
    if codec in HIDDEN_FRAMES or tally.interlaced or missing <= max(1, MISSING_SHARE * tally.packets):
        return ""
    return f"{missing:,} of {tally.packets:,} packets give no frame"


def wrong_rate(packets: Packets) -> str:
    """Where the stated rate is wrong, both rates, and what a frame a second by number would take."""
    stated, measured = packets.stated, packets.measured
    if not stated or not measured or len(packets.times) < FEWEST:
        return ""
    if abs(measured / stated - 1) <= RATE_SHARE:
        return ""
    by_number = len(range(0, packets.count, max(1, int(stated))))
    return (
        f"{stated:g} frames per second stated, {measured:.3g} measured: one per second by number, as "
        f"released, takes {by_number} {'frame' if by_number == 1 else 'frames'} of {packets.end:.0f} s"
    )

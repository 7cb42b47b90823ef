"""What `bench data look` does beside looking: the settings of a recipe, and the answer in words."""

from collections.abc import Iterator, Mapping
from typing import Any

from core.data_options import Sampling
from core.media.hearing import Hearing
from core.media.looking import LookSettings
from core.resolving import resolve

USUAL = "msrvtt"
"""The data set for which recipes are looked up."""


def chosen_settings(method: str | None, sampling: Sampling | None, frames: int | None) -> LookSettings:
    """Our settings, or those of a method's authors, with what was chosen beside them."""
    found = LookSettings()
    if method:
        spec = resolve(method, USUAL, {"recipe": "authors"})
        hearing = Hearing(spec.data["channels"], spec.data["sound_end"])
        found = LookSettings(spec.frame_sampling, spec.frames, spec.data["reader"], hearing)
    return LookSettings(sampling or found.sampling, frames or found.frames, found.reader, found.hearing)


def look_lines(record: Mapping[str, Any]) -> Iterator[str]:
    """The answer, line by line."""
    picture, sound = record["picture"], record["sound"]
    yield f"picture: {picture['state']}" + (f" ({picture['reason']})" if picture["reason"] else "")
    rates = [
        f"{picture[key]:.4g} {word}"
        for key, word in (("stated_rate", "stated"), ("measured_rate", "measured"))
        if picture[key]
    ]
    yield f"  lasts {picture['duration']:.2f} s" + (
        f"; frames per second: {', '.join(rates)}" if rates else ""
    )
    for frame in picture["frames"]:
        red, green, blue = frame["mean_rgb"]
        yield f"  {frame['time']:8.2f} s  mean of the middle: {red:5.1f} {green:5.1f} {blue:5.1f}"
    yield f"sound: {sound['state']}" + (f" ({sound['reason']})" if sound["reason"] else "")
    if sound["rate"]:
        channels = f"{sound['channels']} channel{'s' if sound['channels'] > 1 else ''}"
        where = f"{sound['seconds']:.2f} s from second {sound['start']:.2f} on"
        yield f"  {where}; {channels} at {sound['rate']} Hz"

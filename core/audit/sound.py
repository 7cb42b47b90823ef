"""Sound: a method that claims it must react to it, and one that does not must not."""

from collections.abc import Callable, Mapping
from dataclasses import replace

import torch

from core.audit.change import Change
from core.audit.subject import TOLERANCE, VIDEOS, Subject
from core.audit.verdict import Outcome, Verdict
from core.batch import Videos


def muted(videos: Videos) -> Videos:
    """Every clip without sound."""
    assert videos.audio is not None
    assert videos.has_audio is not None
    return replace(videos, audio=torch.zeros_like(videos.audio), has_audio=torch.zeros_like(videos.has_audio))


def swapped(videos: Videos) -> Videos:
    """Every clip with its neighbour's sound."""
    assert videos.audio is not None
    assert videos.audio_valid is not None
    assert videos.has_audio is not None
    return replace(
        videos,
        audio=videos.audio.roll(1, 0),
        audio_valid=videos.audio_valid.roll(1, 0),
        has_audio=videos.has_audio.roll(1, 0),
    )


def shifted(videos: Videos) -> Videos:
    """Every clip with its sound moved on by half of the clip, the end coming first."""
    assert videos.audio is not None
    assert videos.audio_valid is not None
    step, valid = torch.arange(videos.audio.shape[1]), videos.audio_valid[:, None]
    source = torch.where(step < valid, (step - valid // 2) % valid, step)  # (V, L)
    return replace(videos, audio=videos.audio.gather(1, source[..., None].expand_as(videos.audio)))


CHANGES: Mapping[str, Callable[[Videos], Videos]] = {"muted": muted, "swapped": swapped, "shifted": shifted}


def audio(subject: Subject) -> Verdict:
    """Mean absolute score change by each of `CHANGES`; being muted and swapped must be noticed."""
    method, world = subject.compared()
    texts = world.texts[:VIDEOS]
    heard = subject.scores(method, texts, world.videos)
    found = {
        name: Change.between(subject.scores(method, texts, change(world.videos)), heard)
        for name, change in CHANGES.items()
    }
    figure = "mean score change: " + ", ".join(
        f"{name} {'0' if change.largest <= TOLERANCE else f'{change.mean:.4f}'}"
        for name, change in found.items()
    )
    verdict, meaning = _judge(method.needs.sound, found)
    return subject.verdict("audio", verdict, figure, meaning)


def _judge(claims: bool, found: Mapping[str, Change]) -> tuple[Outcome, str]:
    reacts = {name: not change.none for name, change in found.items()}
    if not claims:
        if any(reacts.values()):
            return "fail", "It claims no sound and reacts to it."
        return "not applicable", "It claims no sound, and reacts to none."
    if not (reacts["muted"] and reacts["swapped"]):
        return "fail", "It claims sound and does not react to it."
    if not reacts["shifted"]:
        return "pass", "It reacts to sound, but not to when it sounds."
    return "pass", "It reacts to sound, and to when it sounds."

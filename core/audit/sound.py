"""Sound: a method that claims it must hear what sounds, and one that does not must hear nothing.

Told apart are whether a clip has sound at all, how loud it is, and what is in it.
"""

from collections.abc import Callable, Mapping
from copy import deepcopy
from dataclasses import replace

import torch

from core.audit.change import Change
from core.audit.noise_features import HeardVideos
from core.audit.subject import VIDEOS, Subject
from core.audit.verdict import Judgement, Verdict
from core.method import Method

LOUDER = 3.0
"""Factor of what is made louder."""
MOVED = 0.3
"""Standard deviation of what is added to a weight to see whether the sound depends on it."""
LOOKED_AT = 12
"""Weights without gradient that are looked at."""


def muted(videos: HeardVideos) -> HeardVideos:
    """Every clip without sound."""
    return replace(videos, audio=torch.zeros_like(videos.audio), has_audio=torch.zeros_like(videos.has_audio))


def exchanged(videos: HeardVideos) -> HeardVideos:
    """Every audible clip with the sound of the next one that is as long, so that none falls silent."""
    source = torch.arange(len(videos))
    for length in videos.audio_valid.unique():
        alike = (videos.has_audio & (videos.audio_valid == length)).nonzero()[:, 0]
        source[alike] = alike.roll(1)
    return replace(videos, audio=videos.audio[source])


def shifted(videos: HeardVideos) -> HeardVideos:
    """Every clip with its sound moved on by half of the clip, the end coming first."""
    step, valid = torch.arange(videos.audio.shape[1]), videos.audio_valid[:, None]
    source = torch.where(step < valid, (step - valid // 2) % valid, step)  # (V, L)
    return replace(videos, audio=videos.audio.gather(1, source[..., None].expand_as(videos.audio)))


def as_loud(videos: HeardVideos) -> HeardVideos:
    """Every state of the sound replaced by noise of its length: as loud at every moment, and nothing else."""
    noise = torch.randn(videos.audio.shape, generator=torch.Generator().manual_seed(7))
    lengths = torch.linalg.vector_norm(videos.audio, dim=-1, keepdim=True)
    return replace(videos, audio=torch.nn.functional.normalize(noise, dim=-1) * lengths)


def half_changed(videos: HeardVideos) -> HeardVideos:
    """Every other clip without sound, the others with noise of its length."""
    parts = [as_loud(videos), muted(videos)]
    order = torch.arange(len(videos)) + torch.arange(len(videos)) % 2 * len(videos)
    return HeardVideos.concatenate(parts)[order]


def louder(videos: HeardVideos) -> HeardVideos:
    """Every clip's sound as it is, with states `LOUDER` times as long."""
    return replace(videos, audio=LOUDER * videos.audio)


CHANGES: Mapping[str, Callable[[HeardVideos], HeardVideos]] = {
    "muted": muted,
    "exchanged": exchanged,
    "noise as loud": as_loud,
    "louder": louder,
    "shifted": shifted,
}


def audio(subject: Subject) -> Verdict:
    """Mean absolute score change by each of `CHANGES`, in standard deviations of a row, and the training."""
    method, world = subject.compared()
    texts = world.texts[:VIDEOS]
    heard = subject.scores(method, texts, world.videos)
    found = {
        name: Change.between(subject.scores(method, texts, change(world.videos)), heard)
        for name, change in CHANGES.items()
    }
    figure = "mean change in standard deviations: " + ", ".join(
        f"{name} {'0' if change.none else f'{change.mean:.3f}'}" for name, change in found.items()
    )
    verdict, meaning = _judge(method.needs.sound, {name: not change.none for name, change in found.items()})
    if verdict == "pass" and not subject.practice.loss_hears:
        verdict, meaning = (
            "fail",
            "Its scores react to sound and its loss does not: `loss` trains without it.",
        )
    elif verdict == "pass" and (stuck := untrained_sound(subject, method)):
        verdict = "fail"
        meaning = f"What it hears depends on {stuck}, which trains and never has a gradient: look at `loss`."
    return subject.verdict("audio", verdict, figure, meaning)


def _judge(claims: bool, reacts: Mapping[str, bool]) -> tuple[Judgement, str]:
    if not claims:
        if any(reacts.values()):
            return "fail", "It claims no sound and reacts to it: set `needs = Needs(sound=True)`."
        return "not applicable", "It claims no sound, and reacts to none."
    if not any(reacts.values()):
        return "fail", "It claims sound and does not react to it: look at `index`."
    if not (reacts["noise as loud"] and reacts["exchanged"]):
        hears = "how loud the sound is" if reacts["louder"] else "whether there is sound"
        return "fail", f"It hears {hears}, and not what sounds: look at `index`."
    if not reacts["shifted"]:
        return "pass", "It hears what sounds, but not when it sounds."
    return "pass", "It hears what sounds, and when it sounds."


def untrained_sound(subject: Subject, method: Method) -> str:
    """A weight without gradient on which scores with sound depend and scores without do not; empty: none."""
    world = subject.world
    texts = world.texts[:VIDEOS]
    for name in subject.practice.without_gradient[:LOOKED_AT]:
        moved = deepcopy(method)
        with torch.no_grad():
            weight = moved.get_parameter(name)
            weight.add_(MOVED * torch.randn(weight.shape, generator=torch.Generator().manual_seed(0)))
        with_sound, without = (
            Change.between(subject.scores(moved, texts, videos), subject.scores(method, texts, videos))
            for videos in (world.videos, muted(world.videos))
        )
        if without.none and not with_sound.none:
            return name
    return ""

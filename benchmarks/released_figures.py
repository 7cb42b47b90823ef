"""What the released evaluations do to scores, each as one figure: the numbers of docs/methods.md.

    python -m benchmarks.released_figures

Features are noise and weights untrained, so that a figure says what the evaluation does and nothing about
how good a method is; for the volume they are noisy copies of a common vector. A change is the mean absolute
change of a score, in standard deviations of the scores of a text. Takes about half a minute on one core.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from core.audit.change import Change
from core.audit.noise_features import NoiseFeatures
from core.audit.subject import Subject
from core.registry import find_method
from methods.parts.interaction.volume import heights, volumes
from methods.parts.vectors import unit

TEXTS, VIDEOS = 36, 48
"""Of changes."""
GALLERY = 200
"""Texts and videos of what is counted on noise."""


@dataclass(frozen=True)
class Figure:
    """What one evaluation does."""

    method: str
    """Name."""
    what: str
    """What was changed or counted."""
    found: str
    """The figure of the released evaluation."""
    here: str
    """The same of ours."""


def change(found: Tensor, expected: Tensor) -> str:
    """As it is printed."""
    return f"{Change.between(found, expected).mean:.3f}"


def subject(name: str, released: bool, **settings: object) -> Subject:
    """A method under a condition."""
    return Subject(find_method(name), "released" if released else "leak-free", settings=settings)


def own_captions(name: str) -> Figure:
    """R@1 on noise, where chance finds one of 200."""
    world = NoiseFeatures.draw(GALLERY, GALLERY, seed=0)

    def first(released: bool) -> str:
        one = subject(name, released)
        scores = one.scores(one.untrained(), world.texts, world.videos)
        return f"{100 * (scores.argmax(1) == torch.arange(GALLERY)).double().mean():.1f} %"

    what = f"own caption pools the video: R@1 on noise (chance {100 / GALLERY} %)"
    return Figure(name, what, first(True), first(False))


def noise_at_test() -> Figure:
    """Between two draws of the noise that T-MASS's evaluation adds to texts."""
    world = NoiseFeatures.draw(TEXTS, TEXTS, seed=0)

    def between(released: bool) -> str:
        one = subject("tmass", released)
        method = one.untrained()
        draws = [one.scores(method, world.texts, world.videos, noise_seed=seed) for seed in (0, 1)]
        again = one.scores(method, world.texts, world.videos, noise_seed=0)
        return f"{change(draws[1], draws[0])}; same seed {change(again, draws[0])}"

    return Figure("tmass", "noise at test: change between two draws", between(True), between(False))


def tiles() -> Figure:
    """The gallery in another order, which puts a pair into another tile."""
    world = NoiseFeatures.draw(TEXTS, VIDEOS, seed=0)
    order = torch.arange(VIDEOS).flip(0)

    def moved(released: bool) -> str:
        one = subject("emcl", released)
        method = one.untrained()
        expected = one.scores(method, world.texts, world.videos)
        found = one.scores(method, world.texts, world.videos[order])
        return change(found[:, order.argsort()], expected)

    return Figure(
        "emcl", "EM over tiles of 32: change when the gallery is in another order", moved(True), moved(False)
    )


def alone() -> Figure:
    """A query that is scored alone, and among others."""
    world = NoiseFeatures.draw(TEXTS, VIDEOS, seed=0)
    among = subject("uatvr", False)
    method = among.untrained()
    expected = among.scores(method, world.texts, world.videos)
    found = subject("uatvr", True).scores(method, world.texts, world.videos)
    single = torch.cat([among.scores(method, world.texts[n : n + 1], world.videos) for n in range(TEXTS)])
    what = "start mark lost where a call has one text: change of a query scored alone"
    return Figure("uatvr", what, change(found, expected), change(single, expected))


def behind_masks() -> Figure:
    """Other content of padded words and frames."""
    world, other = (NoiseFeatures.draw(TEXTS, VIDEOS, seed=seed) for seed in (0, 1))
    assert world.texts.words is not None
    assert other.texts.words is not None
    assert world.texts.word_mask is not None
    words = torch.where(world.texts.word_mask[..., None], world.texts.words, other.texts.words)
    frames = torch.where(world.videos.frame_mask[..., None], world.videos.frames, other.videos.frames)
    texts, videos = replace(world.texts, words=words), replace(world.videos, frames=frames)

    def moved(padding: str) -> str:
        one = subject("xclip", False, word_padding=padding)
        method = one.untrained()
        return change(one.scores(method, texts, videos), one.scores(method, world.texts, world.videos))

    what = "padding is not masked: change with other content behind the masks (here: word_padding=masked)"
    return Figure("xclip", what, moved("released"), moved("masked"))


def padded_words() -> Figure:
    """Padded words as candidates of VALOR's maximum over words."""
    world = NoiseFeatures.draw(TEXTS, VIDEOS, seed=0)
    assert world.texts.words is not None
    assert world.texts.word_mask is not None
    real = int(world.texts.word_mask[:1].sum())
    texts = world.texts[:1]
    assert texts.words is not None
    assert texts.word_mask is not None
    shorter = replace(texts, words=texts.words[:, :real], word_mask=texts.word_mask[:, :real])

    def moved(padding: str) -> str:
        one = subject("valor", False, word_padding=padding)
        method = one.untrained()
        return change(one.scores(method, shorter, world.videos), one.scores(method, texts, world.videos))

    what = "padded words count as cosine 0: change when a row of words is as long as its words"
    return Figure("valor", what, moved("released"), moved("masked"))


def silent_clips() -> Iterator[Figure]:
    """Whom the volume ranks first: 1,000 clips of noisy copies of a vector each, 12 % of them silent."""
    count, width = 1000, 64
    generator = torch.Generator().manual_seed(0)
    common = torch.randn(count, width, generator=generator)

    def copies(noise: float) -> Tensor:
        return unit(common + noise * torch.randn(count, width, generator=generator))

    texts, vectors = copies(3.0), torch.stack([copies(1.5), copies(1.5)], dim=1)
    silent = torch.arange(count) % 25 < 3
    present = torch.stack([torch.ones_like(silent), ~silent], dim=1)
    constant = unit(torch.randn(width, generator=generator))

    def winners(scores: Tensor) -> str:
        best = scores.argmax(1)
        hub = int(best.bincount().max())
        return f"silent {100 * silent[best].double().mean():.1f} %, one clip {100 * hub / count:.1f} %"

    def with_sound(sound: Tensor) -> Tensor:
        return torch.stack([vectors[:, 0], torch.where(silent[:, None], sound, vectors[:, 1])], dim=1)

    identity = winners(-volumes(texts, vectors, present))
    kinds = {"a zero vector": torch.zeros(width), "one constant vector": constant}
    for kind, sound in kinds.items():
        share = f"{100 * silent.double().mean():.0f} % of the gallery is silent"
        what = f"first places under the volume where silence is {kind} ({share})"
        yield Figure("gram", what, winners(-volumes(texts, with_sound(sound))), identity)
    height = winners(-heights(texts, vectors, present))
    yield Figure("gram", "first places under the volume, here under interaction=height", identity, height)


FIGURES: tuple[Callable[[], Figure], ...] = (
    lambda: own_captions("tmass"),
    lambda: own_captions("gaid"),
    noise_at_test,
    tiles,
    alone,
    behind_masks,
    padded_words,
)


def all_figures() -> Iterator[Figure]:
    """One after the other."""
    for figure in FIGURES:
        yield figure()
    yield from silent_clips()


@torch.no_grad()
def main() -> None:
    """Prints the table in Markdown."""
    torch.set_num_threads(1)
    print("| method | what | released | here |\n|---|---|---:|---:|")
    for figure in all_figures():
        print(f"| `{figure.method}` | {figure.what} | {figure.found} | {figure.here} |", flush=True)


if __name__ == "__main__":
    main()

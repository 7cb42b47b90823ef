"""Exact scores of interactions beside the authors' form: the same process, one thread, repetitions in turn.

    python -m benchmarks.interactions [--texts 1000] [--videos 1000] [--repetitions 3]

Sizes are those of a test set of 1,000 captions: D 512, F 12, L 32, with 5 to 20 real words (12 on average)
and 3 to 12 real frames. Both forms of WTI run in tiles of 250 x 250; the authors' is theirs in formula, in
tiles so that memory is no part of the comparison. What an index keeps of the videos is made before, for both.
Prints seconds of both, the ratio of medians and the largest difference.
"""

import argparse
import statistics
import time
from collections.abc import Callable

import torch
from torch import Tensor

from methods.parts.interaction.token_wise import (
    Tokens,
    softmax_weights,
    token_cosines,
    token_wise,
    token_wise_scores,
)
from methods.parts.interaction.volume import exact_volumes, spans
from methods.parts.vectors import unit

WIDTH, FRAMES, WORDS, TILE = 512, 12, 32, 250

Scores = Callable[[], Tensor]


def in_tiles(score: Callable[[slice, slice], Tensor], texts: int, videos: int) -> Tensor:
    """Scores `(N, V)` of tiles of 250 x 250."""
    out = torch.empty(texts, videos)
    for row in range(0, texts, TILE):
        for column in range(0, videos, TILE):
            part = slice(row, row + TILE), slice(column, column + TILE)
            out[part] = score(*part)
    return out


def token_wise_forms(texts: int, videos: int, generator: torch.Generator) -> tuple[Scores, Scores]:
    """WTI with every padded pair, and without."""
    words = torch.randn(texts, WORDS, WIDTH, generator=generator)
    frames = torch.randn(videos, FRAMES, WIDTH, generator=generator)
    lengths = torch.randint(5, 21, (texts, 1), generator=generator)
    counts = torch.randint(3, FRAMES + 1, (videos, 1), generator=generator)
    word_mask, frame_mask = torch.arange(WORDS) < lengths, torch.arange(FRAMES) < counts
    a = softmax_weights(torch.randn(texts, WORDS, generator=generator), word_mask)
    b = softmax_weights(torch.randn(videos, FRAMES, generator=generator), frame_mask)
    packed = Tokens(unit(words), a, word_mask), Tokens(unit(frames), b, frame_mask)

    def authors(n: slice, v: slice) -> Tensor:
        return token_wise(token_cosines(words[n], word_mask[n], frames[v], frame_mask[v]), a[n], b[v])

    def exact() -> Tensor:
        return in_tiles(lambda n, v: token_wise_scores(packed[0][n], packed[1][v]), texts, videos)

    return lambda: in_tiles(authors, texts, videos), exact


def volume_forms(texts: int, videos: int, generator: torch.Generator) -> tuple[Scores, Scores]:
    """The volume of text, picture and sound by a determinant per pair, and by products."""
    sentences = unit(torch.randn(texts, WIDTH, generator=generator))
    vectors = unit(torch.randn(videos, 2, WIDTH, generator=generator))

    def authors() -> Tensor:
        p, q = sentences @ vectors[:, 0].T, sentences @ vectors[:, 1].T
        c = (vectors[:, 0] * vectors[:, 1]).sum(-1).expand_as(p)
        one = torch.ones_like(p)
        gram = torch.stack([one, p, q, p, one, c, q, c, one], dim=-1).view(texts, videos, 3, 3)
        return torch.linalg.det(gram).abs().sqrt()

    kept = spans(vectors)
    return authors, lambda: exact_volumes(sentences, kept)


def seconds(form: Scores) -> tuple[float, Tensor]:
    """Processor time of one run, and its scores."""
    start = time.process_time()
    scores = form()
    return time.process_time() - start, scores


def main() -> None:
    """Prints a line per interaction."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    for name, default in (("texts", 1000), ("videos", 1000), ("repetitions", 3)):
        parser.add_argument(f"--{name}", type=int, default=default)
    given = parser.parse_args()
    torch.set_num_threads(1)
    torch.set_grad_enabled(False)
    for name, forms in (("wti", token_wise_forms), ("volume", volume_forms)):
        pair = forms(given.texts, given.videos, torch.Generator().manual_seed(0))
        times: tuple[list[float], list[float]] = ([], [])
        for _ in range(given.repetitions):
            runs = [seconds(form) for form in pair]
            for kept, (spent, _) in zip(times, runs, strict=True):
                kept.append(spent)
        authors, exact = (statistics.median(kept) for kept in times)
        difference = float((runs[0][1] - runs[1][1]).abs().max())
        print(
            f"{name}: authors {authors:.2f} s, exact {exact:.2f} s, {authors / exact:.1f}x, {difference:.0e}"
        )


if __name__ == "__main__":
    main()

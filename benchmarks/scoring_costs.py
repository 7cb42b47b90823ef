"""What scoring and ranking cost beside their floors: the same process, one thread, forms in turn.

    python -m benchmarks.scoring_costs [--texts 1000] [--videos 50000] [--rounds 3]

- Best lists of a matrix of that size by a stable sort of all, and as they are made; both must be equal.
- Ranks of both directions and best lists from strips that are scored in each pass, and once.
- Every work of `bench time` by the exact engine: its share of the rate of a large matrix product, the same by
  the modules, and a single query against its share of a batch. A single query reads the whole index for one
  row of products, so that memory bounds it: how fast it reads, and beside it a product of the index's frames
  with one vector, which does nothing else: how fast that reads, and its ratio to its share of a product.
- T-MASS's steps, each alone on a tile that stays in the cache: how much of the rate of a large product their
  sum leaves. Products over 12 frames or with 20 points are small, and exp is none.
"""

import argparse
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import is_dataclass
from functools import partial
from pathlib import Path

import torch
from rich.table import Table
from torch import Tensor

from benchmarks.paired import in_turn, table_of
from benchmarks.timing.cases import WORKS
from core.batch import Texts, Videos
from core.cli.shell import console
from core.evaluation.streaming import scored_once, streamed_ranking, strip_width
from core.evaluation.top import KEPT, TopLists, best_of
from core.scoring.scoring import ScoringIndex, build_index, score_matrix
from core.scoring.tiles import blocks
from core.timing.arithmetic import gemm_rate
from core.timing.works import Setting, Work, random_texts, random_videos, timed_of
from methods.parts.perturbation.stp import SharedNoise, StochasticText, best_cosines

CPU = torch.device("cpu")
BATCH, GALLERY = 64, 500
"""Texts and videos of a batch; a single query is asked of the same gallery."""
STRIPS = 1000, 4000
"""Texts and videos of the strips."""
REPEATS = 20
"""Times that a step is repeated to be timed."""


def sorted_lists(videos: Tensor, scores: Tensor) -> TopLists:
    """The best by a stable sort of all."""
    known = scores.masked_fill(scores.isnan(), -torch.inf)
    best = known.sort(dim=1, descending=True, stable=True)
    return TopLists(videos.gather(1, best.indices[:, :KEPT]), best.values[:, :KEPT])


def compare_lists(texts: int, videos: int, rounds: int) -> None:
    """Best lists, of scores without ties and with many."""
    scores = torch.randn(texts, videos, generator=torch.Generator().manual_seed(0))
    positions = torch.arange(videos).expand(texts, -1)
    for kind, matrix in (("no ties", scores), ("many ties", (20 * scores).round())):
        left, right = sorted_lists(positions, matrix), best_of(positions, matrix, KEPT)
        assert torch.equal(left.video, right.video), "the lists differ"
        forms = {
            "stable sort of all": partial(sorted_lists, positions, matrix),
            "the k best": partial(best_of, positions, matrix, KEPT),
        }
        console.print(table_of(f"best lists, {texts:,} x {videos:,}, {kind}", in_turn(forms, rounds)))


def compare_strips(rounds: int) -> None:
    """Ranks and best lists of X-Pool's scores that do not fit into memory."""
    texts, videos = STRIPS
    work, setting = WORKS["xpool"], Setting()
    method, noise = work.build(setting), work.noise_source()
    asked = random_texts(texts, setting, CPU)
    index = build_index(method, random_videos(videos, setting, CPU), check=False)
    pairing = torch.arange(texts)

    def strips() -> Iterator[tuple[slice, Tensor]]:
        for part in blocks(videos, strip_width(texts)):
            yield part, score_matrix(method, asked, index[part], noise=noise)

    def once() -> None:
        with tempfile.TemporaryDirectory() as folder, scored_once(strips, Path(folder)) as kept:
            streamed_ranking(kept, videos, pairing)

    forms = {"scored in each pass": lambda: streamed_ranking(strips, videos, pairing), "scored once": once}
    console.print(table_of(f"ranking in strips, {texts:,} x {videos:,}", in_turn(forms, rounds)))


def rates(rounds: int) -> Table:
    """A row per work."""
    table = Table(
        "work",
        "GFLOP/s",
        "of a large product",
        "modules / exact",
        "single query / its share",
        "reads, GB/s",
        "product alone",
        "product alone / its share",
    )
    setting = Setting()
    texts, videos = random_texts(BATCH, setting, CPU), random_videos(GALLERY, setting, CPU)
    for name, work in WORKS.items():
        table.add_row(name, *row_of(work, texts, videos, rounds))
    return table


def row_of(work: Work, texts: Texts, videos: Videos, rounds: int) -> Iterator[str]:
    """The figures of a work."""
    method, noise = work.build(Setting()), work.noise_source()
    exact, modules = build_index(method, videos), build_index(method, videos, engine="modules")

    def scored(index: ScoringIndex, count: int) -> Tensor:
        return score_matrix(method, texts[:count], index, noise=noise)

    few = 4 if work.perturbation == "stp-fresh" else 16
    forms = {
        "batch": partial(scored, exact, BATCH),
        "few": partial(scored, exact, few),
        "modules": partial(scored, modules, few),
        "single": partial(scored, exact, 1),
    }
    ceiling = gemm_rate(CPU, 1024)
    batch, some, slow, single = (timed.seconds for timed in in_turn(forms, rounds))
    cost = timed_of(method).cost(exact=True)
    assert cost is not None
    rate = cost.gflop(BATCH, GALLERY) / batch
    yield from (f"{rate:.1f}", f"{100 * rate / ceiling:.0f} %", f"{slow / some:.2f}x")
    yield f"{single * BATCH / batch:.1f}x"
    frames = torch.randn(GALLERY * Setting().frames, Setting().width)
    products = {
        "one": lambda: frames @ texts.embeds[0],
        "all": lambda: frames @ texts.embeds.T,
    }
    one, every = (timed.seconds for timed in in_turn(products, 5 * rounds))
    yield f"{bytes_of(exact.videos) / single / 1e9:.1f}"
    yield f"{frames.nbytes / one / 1e9:.1f}"
    yield f"{one * BATCH / every:.1f}x"


def bytes_of(value: object) -> int:
    """Bytes of all tensors in a record."""
    if isinstance(value, Tensor):
        return value.nbytes
    return sum(map(bytes_of, vars(value).values())) if is_dataclass(value) else 0


def steps_alone(rounds: int) -> Table:
    """T-MASS's steps on one tile, each by itself over and over, so that its tensors stay in the cache.

    Their sum is what the engine would take if nothing ever left the cache and everything else were free.
    """
    setting, method = Setting(), WORKS["stp-per-text"].build(Setting())
    ball = method.perturbation
    assert isinstance(ball, StochasticText)
    texts, videos = ball.tile
    cosines = torch.rand(videos, texts, setting.frames)
    vectors = torch.rand(videos, setting.frames, setting.width)
    logarithms, directions = ball.log_radii(cosines), torch.bmm(cosines, vectors)
    asked = SharedNoise.of(torch.rand(texts, setting.width), torch.rand(texts, ball.trials, setting.width))
    by_text = directions.permute(1, 2, 0)  # (N, D, V)
    trials, out = torch.bmm(asked.noise, by_text), torch.empty_like(directions)
    steps: dict[str, tuple[int, Callable[[], object]]] = {
        "W c + b": (1, lambda: ball.log_radii(cosines)),
        "exp": (1, lambda: torch.exp(logarithms, out=out)),
        "p = a E": (1, lambda: torch.bmm(cosines, vectors)),
        "S p": (1, lambda: torch.mul(logarithms, directions, out=out)),
        "S^2": (1, lambda: torch.square(logarithms, out=out)),
        "t . p": (1, lambda: torch.bmm(asked.texts[:, None], by_text)),
        "x . (S p), 2 x t . S, x^2 . S^2": (3, lambda: torch.bmm(asked.noise, by_text)),
        "best of the trials": (1, lambda: best_cosines(trials, trials, dim=1)),
    }
    cost = timed_of(method).cost(exact=True)
    assert cost is not None
    ideal = 2 * cost.pair / 1e9 / gemm_rate(CPU, 1024)
    table = Table("stp-per-text, each step alone on a tile in the cache", "us a pair")
    total = 0.0
    for timed in in_turn({name: partial(repeated, step) for name, (_, step) in steps.items()}, rounds):
        spent = steps[timed.name][0] * timed.seconds / (REPEATS * texts * videos)
        table.add_row(timed.name, f"{1e6 * spent:.2f}")
        total += spent
    table.add_row("all of them", f"{1e6 * total:.2f}")
    table.add_row("its products at the rate of a large one", f"{1e6 * ideal:.2f}")
    table.caption = f"at most {100 * ideal / total:.0f} % of that rate"
    return table


def repeated(step: Callable[[], object]) -> None:
    """A step as often as it takes to be timed."""
    for _ in range(REPEATS):
        step()


def main() -> None:
    """Prints the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    for name, default in (("texts", 1000), ("videos", 50_000), ("rounds", 3)):
        parser.add_argument(f"--{name}", type=int, default=default)
    given = parser.parse_args()
    torch.set_num_threads(1)
    torch.set_grad_enabled(False)
    compare_lists(given.texts, given.videos, given.rounds)
    compare_strips(given.rounds)
    console.print(rates(given.rounds))
    console.print(steps_alone(given.rounds))


if __name__ == "__main__":
    main()

"""Two forms of one work in turn, on a CPU or a GPU: `python -m benchmarks.device_ratios [--device cpu|cuda]`.

Prints a ratio per row; `make gpu-check` prints the same rows on a GPU. Weights and inputs are random.

- Whisper-base's encoder in float32 and in bfloat16. Where bfloat16 is faster, `whisper-base:bfloat16` asks
  for it by name.
- X-Pool's head over all pairs in training, and the products that it needs.
- Scores with noise drawn afresh for every pair, by the modules and by the exact engine.
- A single query and its share of a batch, and the rate of the batch beside that of a large matrix product.
- Best lists by a stable sort of all scores and as they are made.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Annotated, Any

import torch
import typer
from torch import Tensor, nn

from benchmarks.gpu_measure import Row

CALLS = ("first", "second")


@dataclass(frozen=True)
class Sizes:
    """How much of each work is done."""

    rounds: int = 5
    """Times that each form is timed."""
    clips: int = 4
    """Clips of 30 s that Whisper reads at once."""
    pairs: int = 128
    """B of the head's batch."""
    width: int = 512
    """D."""
    texts: int = 64
    """Of a batch of queries."""
    videos: int = 1000
    """Of their gallery."""
    listed: tuple[int, int] = (1000, 20_000)
    """Texts and videos of the best lists."""
    side: int = 2048
    """Of the matrices of the large product."""


def compared(
    part: str,
    names: tuple[str, str],
    forms: tuple[Callable[[], object], ...],
    device: torch.device,
    sizes: Sizes,
) -> Row:
    """What the first form takes of the second one's time, from medians of alternating calls."""
    from core.timing.clock import alternated, median_seconds

    for form in forms:
        form()
    times = alternated(dict(zip(CALLS, forms, strict=True)), sizes.rounds, device)
    first, second = (median_seconds(times[name]).busy for name in CALLS)
    remark = f"{names[0]} {1e3 * first:,.2f} ms, {names[1]} {1e3 * second:,.2f} ms"
    return Row(part, f"{first / second:.2f} x", remark)


def whisper_row(encoder: Any, device: torch.device, sizes: Sizes) -> Row:
    """An encoder of Whisper's kind in both precisions."""
    config = encoder.config
    frames = 2 * config.max_source_positions
    mels = torch.randn(sizes.clips, config.num_mel_bins, frames, device=device)

    @torch.inference_mode()
    def listen(lower: bool) -> None:
        with torch.autocast(device.type, torch.bfloat16, enabled=lower):
            encoder(mels)

    forms = (partial(listen, False), partial(listen, True))
    return compared("Whisper, float32 / bfloat16", ("float32", "bfloat16"), forms, device, sizes)


def head_row(device: torch.device, sizes: Sizes) -> Row:
    """X-Pool's head in training beside its products."""
    from benchmarks.all_pairs_head import head_forms

    _, trained, products = head_forms(sizes.pairs, sizes.width, 12, device).values()
    part = f"all-pairs head, B {sizes.pairs}, D {sizes.width}, / products"
    return compared(part, ("head", "products"), (trained, products), device, sizes)


def scoring_ratios(device: torch.device, sizes: Sizes) -> Iterator[Row]:
    """Fresh noise by modules and algebra; single queries; rates."""
    from benchmarks.timing.cases import WORKS
    from core.scoring.scoring import ScoringIndex, build_index, score_matrix
    from core.timing.arithmetic import gemm_rate
    from core.timing.clock import timed
    from core.timing.works import Setting, random_texts, random_videos, timed_of

    setting = Setting(width=sizes.width)
    texts, videos = random_texts(sizes.texts, setting, device), random_videos(sizes.videos, setting, device)
    ceiling = gemm_rate(device, sizes.side)
    for name, work in WORKS.items():
        method, noise = work.build(setting).to(device), work.noise_source()
        exact = build_index(method, videos)

        def scored(index: ScoringIndex, count: int, method: Any = method, noise: Any = noise) -> Tensor:
            return score_matrix(method, texts[:count], index, noise=noise)

        if name == "stp-fresh":
            few = max(1, sizes.texts // 16)
            modules = build_index(method, videos, engine="modules")
            forms = (partial(scored, modules, few), partial(scored, exact, few))
            yield compared("stp-fresh, modules / exact", ("modules", "exact"), forms, device, sizes)
            continue
        forms = (partial(scored, exact, 1), partial(scored, exact, sizes.texts))
        row = compared(name, ("a query", f"{sizes.texts} queries"), forms, device, sizes)
        times_share = float(row.result.split()[0]) * sizes.texts
        yield Row(f"{name}, a query / its share of a batch", f"{times_share:.1f} x", row.remark)
        cost = timed_of(method).cost(exact=True)
        if cost is not None:
            rate = cost.gflop(sizes.texts, sizes.videos) / timed(forms[1], device).busy
            yield Row(f"{name}, of a large product", f"{100 * rate / ceiling:.0f} %", f"{rate:,.0f} GFLOP/s")


def lists_row(device: torch.device, sizes: Sizes) -> Row:
    """Best lists, by a sort and as they are made."""
    from benchmarks.scoring_costs import sorted_lists
    from core.evaluation.top import KEPT, best_of

    texts, videos = sizes.listed
    scores = torch.randn(texts, videos, device=device)
    positions = torch.arange(videos, device=device).expand(texts, -1)
    forms = (partial(sorted_lists, positions, scores), partial(best_of, positions, scores, KEPT))
    part = f"best lists, {texts:,} x {videos:,}, sort / here"
    return compared(part, ("sort", "here"), forms, device, sizes)


def ratio_rows(
    device: torch.device, sizes: Sizes | None = None, whisper: nn.Module | None = None
) -> Iterator[Row]:
    """All rows; `whisper` is an encoder of its kind on the device, else one of whisper-base's sizes."""
    from benchmarks.gpu_training import whisper_base

    sizes = sizes or Sizes()
    yield whisper_row(whisper or whisper_base(device), device, sizes)
    yield head_row(device, sizes)
    with torch.no_grad():
        yield from scoring_ratios(device, sizes)
        yield lists_row(device, sizes)


def main(
    device: Annotated[str | None, typer.Option(help="cpu or cuda; a GPU where there is one.")] = None,
) -> None:
    """Print the ratios.

    Example: python -m benchmarks.device_ratios --device cpu
    """
    from core.timing.plan import device_of

    torch.set_num_threads(1)
    torch.manual_seed(0)
    for row in ratio_rows(device_of(device)):
        print(f"{row.part:44} {row.result:12} {row.remark}", flush=True)


if __name__ == "__main__":
    from core.cli.shell import one_line_errors

    typer.run(one_line_errors(main))

"""Golden metrics: the released rank routines of CLIP4Clip and of X-Pool's family.

Where scores tie, the released sort is not stable and a recorded figure is one of several possible ones: it
agrees when it lies between what the best and the worst order of the ties would give.
"""

import torch
from torch import Tensor

from core.errors import BenchError
from core.evaluation.metrics import Metrics, metrics_from_ranks, rank_metrics
from core.evaluation.ranking import QueryRecords, best_captions, text_to_video, video_to_text
from core.evaluation.tie_policies import TiePolicy, defined, rank_range, tied_positions
from methods.parity.golden import Golden, float_tensor


def check_xpool_metrics(golden: Golden) -> None:
    """Kind `metrics.xpool`: `<case>.sims` `(V, M, V)` -> `<case>.t2v.*`, `<case>.v2t.*`, raw ranks."""
    for case in _cases(golden, ".sims"):
        grouped = golden.input(f"{case}.sims")
        scores, video_of_text = flatten_groups(grouped)
        compare_metrics(golden, case, scores, video_of_text)
        if f"{case}.ranks_t2v" in golden.names():
            _compare_positions(golden, f"{case}.ranks_t2v", grouped)


def compare_metrics(
    golden: Golden, prefix: str, scores: Tensor, video_of_text: Tensor, policy: TiePolicy = "xpool"
) -> None:
    """Compares `<prefix>.{t2v,v2t}.*` with our metrics of `scores` `(N, V)`; NaN is allowed."""
    for records in _records(scores, video_of_text):
        _compare(golden, f"{prefix}.{records.direction}.", records, policy)


def flatten_groups(grouped: Tensor) -> tuple[Tensor, Tensor]:
    """Scores `(V * M, V)` and video of each row from the released layout `(video, caption slot, video)`.

    Empty slots stay as rows of NaN or -inf: their own score leaves them undefined.
    """
    groups, slots, videos = grouped.shape
    return grouped.reshape(groups * slots, videos), torch.arange(groups).repeat_interleave(slots)


def check_clip4clip_metrics(golden: Golden) -> None:
    """Kind `metrics.clip4clip`: `<case>.sims` `(N, N)` or `.flat_sims` `(N, V)` -> figures and ranks."""
    for case in _cases(golden, ".sims"):
        scores = golden.input(f"{case}.sims")
        for records in _records(scores, torch.arange(len(scores))):
            _compare_square(golden, f"{case}.{records.direction}.", records)
    for case in _cases(golden, ".flat_sims"):
        scores, video_of_text = golden.input(f"{case}.flat_sims"), golden.input(f"{case}.video_of_text")
        golden.compare(f"{case}.grouped", _grouped(scores, video_of_text))
        golden.compare(f"{case}.v2t_matrix", best_captions(scores, video_of_text, scores.shape[1]).T)
        t2v, v2t = _records(scores, video_of_text)
        _compare(golden, f"{case}.t2v.", t2v, "clip4clip")
        _compare_deviation(golden, f"{case}.t2v.", t2v)
        _compare_square(golden, f"{case}.v2t.", v2t)


def _records(scores: Tensor, video_of_text: Tensor) -> tuple[QueryRecords, QueryRecords]:
    """Both directions as the released code sees them: only equal numbers tie, NaN is allowed."""
    return (
        text_to_video(scores, video_of_text, tolerance=0.0, undefined="allow"),
        video_to_text(scores, video_of_text, tolerance=0.0, undefined="allow"),
    )


def _compare(golden: Golden, prefix: str, records: QueryRecords, policy: TiePolicy) -> None:
    """Holds the figures of a sort against ours, or against the range that ties leave open."""
    best, worst = _rank_bounds(records, policy)
    lower_median = policy == "clip4clip"
    low = _figures(metrics_from_ranks(best, lower_median=lower_median))
    high = _figures(metrics_from_ranks(worst, lower_median=lower_median))
    for name, figure in _figures(rank_metrics(records, policy)).items():
        if prefix + name not in golden.names():
            continue
        recorded, ours = golden.input(prefix + name), float_tensor(figure)
        if low[name] != high[name]:
            ours = recorded.clamp(min(low[name], high[name]), max(low[name], high[name]))
        golden.compare(prefix + name, ours)


def _compare_square(golden: Golden, prefix: str, records: QueryRecords) -> None:
    """CLIP4Clip's routine for square matrices: every tied position is an entry, so no choice is left."""
    for name, figure in _figures(rank_metrics(records, "clip4clip")).items():
        if prefix + name in golden.names():
            golden.compare(prefix + name, float_tensor(figure))
    counted = defined(records, "clip4clip")
    first, width = rank_range(records, "clip4clip")
    golden.compare(f"{prefix}cols", tied_positions(first[counted], width[counted]) - 1)


def _compare_deviation(golden: Golden, prefix: str, records: QueryRecords) -> None:
    """Standard deviation of the ranks; under ties, the range that the recorded mean leaves open."""
    best, worst = (ranks.double() for ranks in _rank_bounds(records, "clip4clip"))
    ours = best.std(correction=0)
    if bool((best != worst).any()):
        mean_square = float(golden.input(f"{prefix}MeanR")) ** 2
        low, high = (max(0.0, float(r.square().mean()) - mean_square) ** 0.5 for r in (best, worst))
        ours = golden.input(f"{prefix}Std_Rank").clamp(low, high)
    golden.compare(f"{prefix}Std_Rank", ours)


def _compare_positions(golden: Golden, name: str, grouped: Tensor) -> None:
    """Recorded positions from 0, `(caption slot, video)`; where the own score is undefined any will do."""
    t2v, _ = _records(*flatten_groups(grouped))
    position, known = t2v.counts.above + t2v.counts.undefined, defined(t2v, "xpool")
    low = position.where(known, 0).reshape(grouped.shape[:2]).T
    high = (position + t2v.counts.equal).where(known, grouped.shape[2] - 1).reshape(grouped.shape[:2]).T
    golden.compare(name, golden.input(name).clamp(low, high))


def _rank_bounds(records: QueryRecords, policy: TiePolicy) -> tuple[Tensor, Tensor]:
    """Best and worst rank from 1 of each defined query, int64, over all orders of equal scores."""
    best = 1 + records.counts.above + records.counts.undefined
    counted = defined(records, policy)
    return best[counted], (best + records.counts.equal)[counted]


def _figures(metrics: Metrics) -> dict[str, float]:
    """The figures under the recorded names; X-Pool's `MedR` is CLIP4Clip's `MedianR` and `MR`."""
    medians = dict.fromkeys(("MedR", "MedianR", "MR"), metrics.median_rank)
    return {
        **{f"R{k}": recall for k, recall in metrics.recall.items()},
        **medians,
        "MeanR": metrics.mean_rank,
    }


def _grouped(scores: Tensor, video_of_text: Tensor) -> Tensor:
    """CLIP4Clip's layout `(video, caption slot, video)` of `scores` `(N, V)`, empty slots -inf."""
    if bool((video_of_text.diff() < 0).any()):
        raise BenchError("CLIP4Clip's layout needs the captions of a video in consecutive rows")
    rows = [scores[video_of_text == video] for video in range(scores.shape[1])]
    return torch.nn.utils.rnn.pad_sequence(rows, batch_first=True, padding_value=-torch.inf)


def _cases(golden: Golden, ending: str) -> list[str]:
    return [name.removesuffix(ending) for name in golden.names() if name.endswith(ending)]

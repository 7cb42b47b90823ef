"""What a perturbation costs, and how much of the published factor is the method and how much the loop."""

from collections.abc import Mapping, Sequence
from itertools import pairwise

from core.timing.records import Implementation, Measurement

PAPER_SECONDS: Mapping[str, float] = {"none": 6.1, "dasp": 6.5, "stp-fresh": 98.2}
"""GAID (arXiv 2508.01711), table 6, "time cost" in seconds, MSR-VTT 1k-A; hardware and code are not named."""

STORY_STEPS: Sequence[tuple[Implementation, str]] = (
    ("as released", "stp-fresh"),
    ("tiled modules", "stp-fresh"),
    ("tiled modules", "stp-per-text"),
    ("exact", "stp-per-text"),
)
"""From the released procedure to the method's own cost: each leaves out one thing that the last one did."""

Costs = Mapping[Implementation, Mapping[str, Measurement]]
"""Implementation -> perturbation -> its measurement, of one method against one gallery."""


def busy_seconds(costs: Costs, implementation: Implementation, perturbation: str) -> float | None:
    """Busy seconds per 1,000 queries; None where nothing was measured."""
    row = costs.get(implementation, {}).get(perturbation)
    return None if row is None or row.queries is None else row.queries.busy


def factor(costs: Costs, implementation: Implementation, perturbation: str) -> float | None:
    """How many times as long as DASP a perturbation takes under the same implementation."""
    own, base = (busy_seconds(costs, implementation, name) for name in (perturbation, "dasp"))
    return None if own is None or base is None else own / base


def by_perturbation(rows: Sequence[Measurement], method: str, videos: int) -> Costs:
    """The measurements of one method against one gallery, sorted."""
    costs: dict[Implementation, dict[str, Measurement]] = {}
    for row in rows:
        if (row.method, row.videos) == (method, videos) and row.queries is not None:
            costs.setdefault(row.implementation, {})[row.perturbation] = row
    return costs


def added_seconds(costs: Costs, implementation: Implementation, perturbation: str) -> float | None:
    """Busy seconds per 1,000 queries above those of an unperturbed text under the same implementation."""
    own, base = (busy_seconds(costs, implementation, name) for name in (perturbation, "none"))
    return None if own is None or base is None else own - base


def story(costs: Costs) -> list[str]:
    """How much of what STP costs is the method, and how much the way in which it was computed.

    Three steps lead from the released procedure to the exact engine: no loops, no noise of its own for every
    pair (the law of a single score stays), no vectors built per pair. What is left is the method's: K trials
    for every pair. Nothing where a step was not measured.
    """
    added = [added_seconds(costs, *step) for step in STORY_STEPS]
    factors = [factor(costs, *step) for step in STORY_STEPS]
    seconds = [value for value in added if value is not None]
    ratios = [value for value in factors if value is not None]
    if len(seconds) < len(STORY_STEPS) or len(ratios) < len(STORY_STEPS):
        return []
    paper = PAPER_SECONDS["stp-fresh"] / PAPER_SECONDS["dasp"]
    released, tiles, shared, exact = (f"{ratio:.1f}x" for ratio in ratios)
    whole, method = seconds[0], seconds[-1]
    loops, noise, vectors = (f"{100 * (more - less) / whole:.0f} %" for more, less in pairwise(seconds))
    return [
        f"STP takes {paper:.1f}x as long as DASP in the paper; here {released} by the released procedure "
        f"(extrapolated), {tiles} by tiles, {shared} by tiles with one draw per text, {exact} exactly.",
        f"As released, STP adds {whole:.3g} s to unperturbed scoring. Of these {loops} are loops over "
        f"videos, trials and pairs, {noise} noise drawn anew for every pair, {vectors} vectors built for "
        f"every pair; {100 * method / whole:.1f} % ({method:.3g} s) are the method: its trials, by algebra.",
    ]

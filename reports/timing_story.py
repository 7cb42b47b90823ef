"""What a perturbation costs, and how much of the published factor is the method and how much the loop."""

from collections.abc import Mapping, Sequence

from core.timings import Implementation, Measurement

PAPER_SECONDS: Mapping[str, float] = {"none": 6.1, "dasp": 6.5, "stp-fresh": 98.2}
"""GAID (arXiv 2508.01711), table 6, "time cost" in seconds, MSR-VTT 1k-A; hardware and code are not named."""

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


def story(costs: Costs) -> list[str]:
    """Where STP's published factor over DASP comes from, as far as everything for a sentence was measured.

    Three steps lead from the released procedure to the exact engine, each with the share of the factor that
    it removes: no loops, no noise of its own for every pair (the law of a single score stays), no vectors
    built per pair. What is left is the method's: K trials for every pair instead of one.
    """
    loop = factor(costs, "as released", "stp-fresh")
    fresh = factor(costs, "tiled modules", "stp-fresh")
    shared = factor(costs, "tiled modules", "stp-per-text")
    paper = PAPER_SECONDS["stp-fresh"] / PAPER_SECONDS["dasp"]
    if loop is None or fresh is None or shared is None:
        return []
    lines = [
        f"STP over DASP: {paper:.1f}x in the paper; here {loop:.1f}x by the released procedure "
        f"(extrapolated), {fresh:.1f}x by tiles with fresh noise, {shared:.1f}x with one draw per text.",
        f"Of the released {loop:.1f}x, the loops over videos, trials and pairs are a factor of "
        f"{loop / fresh:.1f}, drawing anew for every pair {fresh / shared:.1f}; {shared:.1f} is the method.",
    ]
    exact = factor(costs, "exact", "stp-per-text")
    if exact is not None:
        stp, dasp = (busy_seconds(costs, "exact", name) for name in ("stp-per-text", "dasp"))
        lines.append(
            f"Scored exactly, STP takes {stp:.3g} s and DASP {dasp:.3g} s: {exact:.1f}x is what STP "
            f"itself costs, the other {loop / exact:.1f}x of {loop:.1f}x are how it was computed."
        )
    return lines

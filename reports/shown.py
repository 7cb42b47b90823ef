"""What tables, figures and page show of a cell: its figure, its interval, or why it has none."""

import math

from core.evaluation.measures import PRIMARY, Measure
from core.evaluation.statistics import Interval, bootstrap_interval
from core.evaluation.tie_policies import TiePolicy
from reports.results import SeededRows
from reports.table import DASH, between, number, signed

FEWEST_QUERIES = 30
"""Queries below which an interval would say more about the bootstrap than about the method."""

FEWEST_NOTE = (
    f"No interval for fewer than {FEWEST_QUERIES} queries: too few to tell how much the figure would vary."
)

UNDEFINED_NOTE = (
    "undefined: so many queries meet a pair for which the released pooling has no value (a video with fewer "
    "captions than the query's slot), so the figure, its gap and its rank do not exist."
)


def interval_of(cell: SeededRows, measure: Measure = PRIMARY) -> Interval | None:
    """The 95 % bootstrap interval of a mean over queries; None where it says nothing."""
    if cell.answers.entry.protocol.queries < FEWEST_QUERIES or cell.undefined or measure.each is None:
        return None
    sample = cell.sample(measure)
    return bootstrap_interval(sample.values, sample.clusters, seed=0)


def interval_in_words(cell: SeededRows, measure: Measure = PRIMARY) -> str:
    """The interval of a cell, or a dash."""
    found = interval_of(cell, measure)
    return DASH if found is None else between(found.low, found.high)


def defined_figure(
    cell: SeededRows | None, measure: Measure = PRIMARY, policy: TiePolicy = "expected"
) -> float:
    """A measure of a cell; NaN where there is no cell or its scores are partly undefined."""
    return math.nan if cell is None or cell.undefined else cell.figure(measure, policy)


def shown_interval(cell: SeededRows | None, measure: Measure = PRIMARY) -> str:
    """A measure of a cell as text: the figure, how much of it is undefined, or a dash where there is none."""
    if cell is not None and cell.undefined:
        return f"undefined ({cell.undefined} of {cell.answers.entry.protocol.queries})"
    return number(defined_figure(cell, measure), measure.digits)


def gap(released: SeededRows | None, clean: SeededRows | None) -> str:
    """R@1 of the released condition minus the leak-free one; a dash where either does not exist."""
    return signed(defined_figure(released) - defined_figure(clean))

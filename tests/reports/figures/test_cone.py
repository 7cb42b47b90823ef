"""The share of a sphere in a cone, against mpmath's regularised incomplete beta function."""

import math

import mpmath
import pytest

from reports.figures.cone import cone_figure, log10_bound, log10_cap_share, log10_printed, scientific


def cap_share(width: int, degrees: float) -> mpmath.mpf:
    """I_(sin^2 theta)((d - 1) / 2, 1 / 2) / 2, for angles up to 90 degrees."""
    with mpmath.workdps(50):
        sine = mpmath.sin(mpmath.radians(mpmath.mpf(degrees)))
        return mpmath.betainc(mpmath.mpf(width - 1) / 2, 0.5, 0, sine**2, regularized=True) / 2


@pytest.mark.parametrize("degrees", [5.0, 10.0, 30.0, 60.0, 89.0])
@pytest.mark.parametrize("width", [3, 16, 512, 1024])
def test_the_share_agrees_with_the_beta_function(width: int, degrees: float) -> None:
    expected = float(mpmath.log10(cap_share(width, degrees)))
    assert log10_cap_share(width, degrees) == pytest.approx(expected, abs=1e-6)


def test_the_example_of_the_paper_is_off_by_more_than_eighty_orders() -> None:
    assert scientific(log10_cap_share(512, 30)) == "3.0e−156"
    assert scientific(log10_printed(512, 30)) == "3.8e−31"
    assert scientific(log10_bound(512, 30)) == "6.0e−84"


def test_half_of_the_sphere_lies_within_a_right_angle() -> None:
    assert log10_cap_share(512, 90) == pytest.approx(math.log10(0.5), abs=1e-9)


@pytest.mark.parametrize("degrees", [10.0, 30.0, 80.0])
def test_the_bound_is_one_and_the_printed_formula_falls_where_the_share_rises(degrees: float) -> None:
    assert log10_cap_share(512, degrees) < log10_bound(512, degrees)
    assert log10_printed(512, degrees + 1) < log10_printed(512, degrees)
    assert log10_cap_share(512, degrees + 1) > log10_cap_share(512, degrees)


def test_the_figure_has_a_title_and_names_its_paper() -> None:
    figure = cone_figure()
    assert "GAID" in figure.get_suptitle()
    assert any("arXiv 2508.01711" in text.get_text() for text in figure.legends[0].get_texts())

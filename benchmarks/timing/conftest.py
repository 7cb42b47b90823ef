"""Options of the suite, and one process for it whatever the project's default is."""

import pytest

from benchmarks.timing.cases import cases, parse_sizes
from core.errors import BenchError

SMALL = "100x100"
"""Texts x videos unless `--sizes` says otherwise: the whole suite in under a minute."""


def pytest_addoption(parser: pytest.Parser) -> None:
    """`--sizes`."""
    parser.addoption("--sizes", default=SMALL, help="Sizes to time, TEXTSxVIDEOS, comma-separated.")


@pytest.hookimpl(tryfirst=True)
def pytest_cmdline_main(config: pytest.Config) -> None:
    """Keeps pytest-xdist out: tests that share the cores cannot be timed, and pytest-benchmark refuses."""
    if config.pluginmanager.hasplugin("xdist"):
        config.option.numprocesses = 0
        config.option.dist = "no"


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """One test per case of the sizes."""
    if "case" in metafunc.fixturenames:
        try:
            sizes = parse_sizes(metafunc.config.getoption("--sizes"))
        except BenchError as error:
            raise pytest.UsageError(str(error)) from error
        metafunc.parametrize("case", cases(sizes), ids=str)

"""The file of the page: one, small, whole, and honest about what it lacks."""

import json
import re
import shlex
from dataclasses import replace
from pathlib import Path

import pytest

from core.resolving import resolve
from core.running.matrix import from_command_line
from reports.page.overview import results_overview
from reports.page.write import write_page
from reports.provenance import reproducing_command
from reports.results import Results
from reports.shown import FEWEST_NOTE, UNDEFINED_NOTE
from tests.made_runs import make_run, result
from tests.reports.made_results import results_under

LIMIT = 15 * 2**20


def embedded(page: str) -> dict[str, list[dict[str, object]]]:
    """The data in the page, as its script reads them."""
    found = re.search(r'<script type="application/json" id="data">(.*?)</script>', page, re.DOTALL)
    assert found
    content: dict[str, list[dict[str, object]]] = json.loads(found[1])
    return content


def test_the_page_is_one_small_file_that_asks_for_no_other(page_file: Path) -> None:
    page = page_file.read_text(encoding="utf-8")
    assert len(page.encode()) < LIMIT
    assert not re.search(r"""(?:src|href)=["']?https?:|@import|url\(["']?http""", page)
    assert page.count("<script") == 2
    assert embedded(page)["failures"]


def test_captions_reach_the_script_unchanged(page_file: Path, results: Results) -> None:
    texts = embedded(page_file.read_text(encoding="utf-8"))["galleries"][0]["texts"]
    assert str(texts[3]).startswith("</script><script>") and str(texts[3]).endswith("& “x” 3")  # type: ignore[index]


def test_without_the_clips_the_page_is_written_and_says_so(results: Results, tmp_path: Path) -> None:
    gone = [replace(run, manifest=run.manifest.model_copy(update={"store": "gone"})) for run in results.runs]
    path, notes = write_page(replace(results, runs=gone), tmp_path)
    page = path.read_text(encoding="utf-8")
    assert len(notes) == 1 and "gone is no finished store" in notes[0]
    assert "gone is no finished store" in page
    assert embedded(page)["clips"] == {} and embedded(page)["failures"]


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"seeds.data": 2, "training.epochs": 3},
        {"config.fusion": "sample", "evaluation.conditions": ["leak-free"], "evaluation.rescoring": ["none"]},
    ],
)
def test_the_command_makes_the_very_cell(changes: dict[str, object]) -> None:
    spec = resolve("gaid", "avworld-tiny", changes)
    words = shlex.split(reproducing_command(spec))
    assert words[:6] == ["bench", "run", "--methods", "gaid", "--datasets", "avworld-tiny"]
    flags = {"methods": ("gaid",), "datasets": ("avworld-tiny",)}
    matrix = from_command_line("default", flags, words[7::2])
    assert [cell.canonical() for cell in matrix.cells] == [spec.canonical()]


def test_the_page_begins_with_its_protocol_and_what_it_may_be_used_for(page_file: Path) -> None:
    head = page_file.read_text(encoding="utf-8").partition("<main>")[0]
    unfolded = head.partition("<details")[0]
    for words in ("commit", "queries", "checkpoint chosen by", "epochs", "backbone", "pictures", "hardware"):
        assert words in head and words in unfolded
    assert "they may not be used to rank methods under other training" in head


def test_the_overview_is_of_the_first_split_with_queries_and_strata_beside_each_method(
    tmp_path: Path,
) -> None:
    strata = {"needed": 20.0, "silent": 60.0}
    rows = [result(40.0, strata=strata), result(30.0, split="test-multi", gallery="multi")]
    make_run(tmp_path, {"evaluation.splits": ["test", "test-multi"]}, rows)
    results = results_under(tmp_path)
    (part,) = results_overview(results)
    assert part["data"] == "avworld-tiny/test"
    (row,) = part["rows"]
    assert row["queries"] == 100
    assert dict(zip(part["columns"], row["strata"], strict=True)) == {"needed": "20.0", "silent": "60.0"}
    path, _ = write_page(results, tmp_path)
    text = path.read_text(encoding="utf-8")
    assert "avworld-tiny/test-multi" in text.partition('id="results"')[2]
    assert text.count('<table class="overview') == 1


def test_the_overview_explains_what_has_no_figure_and_no_interval(tmp_path: Path) -> None:
    make_run(tmp_path, {}, [result(40.0), result(80.0, condition="released", undefined=17)])
    make_run(tmp_path, {}, [result(20.0, queries=5, gallery="few")], method="tmass")
    results = results_under(tmp_path)
    path, _ = write_page(results, tmp_path)
    overview = path.read_text(encoding="utf-8").partition('id="results"')[0]
    assert "undefined (17 of 100)" in overview
    assert UNDEFINED_NOTE in overview.replace("&#39;", "'")
    assert FEWEST_NOTE in overview

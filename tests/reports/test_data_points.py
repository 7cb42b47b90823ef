"""A report repeats what a run has said of its data: what is left out, what is wrong, what is cut, by name."""

from pathlib import Path
from typing import Any

from reports.collect import read_runs
from reports.header import header_of
from reports.results import Results
from reports.summary import summary_table
from tests.made_runs import make_run, result

LOST = "drop: 1 of 3 test videos cannot be used, they and their captions are left out: c (no such file)"


def points(root: Path) -> dict[str, str]:
    ((_, found),) = header_of(Results.of(read_runs(root)[0])).protocols
    return dict(found)


def entry(gallery: str, **data: str) -> dict[str, Any]:
    found = result(50.0, gallery=gallery)
    found["protocol"]["data"] = {key.replace("_", " "): value for key, value in data.items()}
    return found


def test_what_the_runs_agree_on_is_said_once_and_the_rest_by_row(tmp_path: Path) -> None:
    silent = "2: a (digital silence); b (digital silence)"
    make_run(tmp_path, {"data.missing": "drop"}, [entry("fewer", missing=LOST, clips_silent=silent)])
    whole = entry("whole", missing="fail", clips_silent=silent, captions_cut="1 of 3 test: a (a man ...)")
    make_run(tmp_path, {}, [whole])
    found = points(tmp_path)
    assert found["clips silent"] == silent
    assert found["missing"] == f"fail (GAID); {LOST} (GAID (data.missing=drop))"
    assert found["captions cut"] == "1 of 3 test: a (a man ...) (GAID); none (GAID (data.missing=drop))"
    assert found["splits"] == "test #whol (100 queries, 100 videos), test #fewe (100 queries, 100 videos)"


def test_the_summary_of_a_run_says_it_too_and_nothing_where_there_is_nothing(tmp_path: Path) -> None:
    make_run(tmp_path / "some", {}, [entry("fewer", missing=LOST)])
    make_run(tmp_path / "none", {}, [entry("whole", missing="fail", captions_cut="none")])
    some, none = (summary_table(Results.of(read_runs(tmp_path / name)[0])) for name in ("some", "none"))
    assert some and f"avworld-tiny: missing: {LOST}" in some.notes
    assert none and not any("missing" in note or "cut" in note for note in none.notes)
    assert not {"missing", "captions cut"} & points(tmp_path / "none").keys()

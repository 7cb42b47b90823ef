"""What a search finds, with which scores, and where in the video."""

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from core import open_index
from core.batch import stable_keys
from core.errors import BenchError
from core.running.trained import TrainedRun
from core.search.opened import VideoSearch
from core.search.queries import texts_like
from tests.command_line import assert_one_line

pytestmark = pytest.mark.slow

QUERIES = ["a bell rings", "a red square moves to the left"]
DOCS = Path(__file__).parents[3] / "docs" / "search.md"


@pytest.fixture(scope="module")
def index(built: Path, run: TrainedRun) -> VideoSearch:
    return open_index(built, run)


def test_hits_are_ordered_by_the_scores_of_the_run(
    index: VideoSearch, run: TrainedRun, tmp_path: Path
) -> None:
    found = index.search(QUERIES, k=len(index))
    files = [hit.path for hit in sorted(found[0], key=lambda hit: hit.path)]
    scores = run.score(run.encode_texts(QUERIES), run.encode_files(files, tmp_path))
    for hits, expected in zip(found, scores, strict=True):
        assert [hit.rank for hit in hits] == list(range(1, len(index) + 1))
        assert [hit.path for hit in hits] == [files[n] for n in expected.argsort(descending=True).tolist()]
        torch.testing.assert_close(
            torch.tensor([hit.score for hit in hits]),
            expected.sort(descending=True).values,
            atol=1e-4,
            rtol=0,
        )


def test_the_gate_of_a_hit_is_that_of_its_pair(index: VideoSearch, run: TrainedRun, tmp_path: Path) -> None:
    hit = index.search(QUERIES[:1], k=1)[0][0]
    videos = run.encode_files([hit.path], tmp_path).videos
    assert run.method.gate and hit.gate
    with torch.no_grad():
        expected = run.method.gate.weights(run.encode_texts(QUERIES[:1]), videos)[0]
    torch.testing.assert_close(torch.tensor(hit.gate), expected[: len(hit.gate)], atol=1e-4, rtol=0)
    assert hit.moment in hit.times
    assert 0 < hit.times[-1] <= hit.duration


def test_a_clip_stands_for_words_by_its_frames(index: VideoSearch, clips: Path, run: TrainedRun) -> None:
    clip = clips / "clip-1.mp4"
    found = index.search_like(clip, k=3)
    assert len(found) == 3
    with pytest.raises(BenchError, match="no such file"):
        index.search_like(clips / "missing.mp4")


def test_frames_beyond_the_words_of_a_text_are_left_out(run: TrainedRun) -> None:
    from core.batch import Videos

    videos = Videos(torch.randn(1, 12, 8), torch.arange(12)[None] < 9, stable_keys(["one"]))
    texts = texts_like(videos, 4)
    assert texts.words is not None and texts.word_mask is not None
    torch.testing.assert_close(texts.embeds[0], videos.frames[0, :9].mean(0))
    assert texts.words.shape == (1, 4, 8) and bool(texts.word_mask.all())


@pytest.mark.parametrize(("query", "words"), [(" ", "is empty"), ("dog " * 90, "is longer than the")])
def test_a_query_that_cannot_be_read_is_one_line(query: str, words: str, index: VideoSearch) -> None:
    with pytest.raises(BenchError, match=words):
        index.search(["a dog", query])


def test_a_small_index_scores_every_video(index: VideoSearch) -> None:
    assert index.kept(index.candidates) == 1.0


def altered(built: Path, place: Path, change: Callable[[dict[str, Any]], object]) -> Path:
    copy = Path(shutil.copytree(built, place / "copy"))
    content = json.loads((copy / "index.json").read_text())
    change(content)
    (copy / "index.json").write_text(json.dumps(content))
    return copy


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda content: content.update(model="other"), "is an index of another run"),
        (lambda content: content.update(version=99), "is an index of version 99, this program reads"),
        (lambda content: content.update(finished=False), "the same `bench index` continues it"),
        (lambda content: content.pop("root"), "is damaged"),
        (lambda content: content["parts"][0].update(number=7), "is missing"),
    ],
)
def test_an_index_that_cannot_be_used_is_one_line(
    change: Callable[[dict[str, Any]], object], words: str, built: Path, run: TrainedRun, tmp_path: Path
) -> None:
    with pytest.raises(BenchError, match=words):
        open_index(altered(built, tmp_path, change), run)


def test_a_folder_without_an_index_and_a_run_that_is_gone_are_one_line(built: Path, tmp_path: Path) -> None:
    with pytest.raises(BenchError, match="holds no index; make one: bench index"):
        open_index(tmp_path)
    moved = altered(built, tmp_path, lambda content: content.update(run="/gone"))
    with pytest.raises(BenchError, match="which is gone; name it with --run"):
        open_index(moved)


def test_a_file_that_was_changed_since_is_said(
    built: Path, run: TrainedRun, clips: Path, tmp_path: Path
) -> None:
    moved = Path(shutil.copytree(clips, tmp_path / "moved"))
    (moved / "clip-2.mp4").unlink()
    copy = altered(built, tmp_path, lambda content: content.update(root=str(moved)))
    changed = {Path(hit.path).name for hit in open_index(copy, run).search(QUERIES, k=6)[0] if hit.changed}
    assert "clip-2.mp4" in changed


def test_the_command_prints_json_and_a_page(invoke: Callable[..., Any], built: Path, tmp_path: Path) -> None:
    (tmp_path / "queries.txt").write_text("\n".join(QUERIES))
    page = tmp_path / "hits.html"
    options = ("--queries", tmp_path / "queries.txt", "-k", "2", "--html", page, "--json")
    answer = json.loads(invoke("search", built, *options).stdout)
    assert [query["query"] for query in answer["queries"]] == QUERIES
    assert [hit["rank"] for hit in answer["queries"][0]["hits"]] == [1, 2]
    text = page.read_text()
    assert text.count("<video ") == 4
    assert not re.search(r'(src|href)="https?:', text)


def test_what_is_asked_for_wrongly_is_one_line(invoke: Callable[..., Any], built: Path) -> None:
    assert_one_line(invoke("search", built), "give words, --queries FILE or --like CLIP")
    assert_one_line(invoke("search", built, " "), "a query is empty")
    assert_one_line(
        invoke("search", built, "a dog", "--html", "/nowhere/hits.html"), "its folder does not exist"
    )


def test_the_script_of_the_page_about_search_runs(
    run: TrainedRun,
    clips: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    script = "\n".join(re.findall(r"```python\n(.*?)```", DOCS.read_text(encoding="utf-8"), re.DOTALL))
    (tmp_path / "runs").mkdir()
    shutil.copytree(run.directory.path, tmp_path / "runs" / "my-run")
    shutil.copytree(clips, tmp_path / "holiday")
    monkeypatch.chdir(tmp_path)
    exec(compile(script, str(DOCS), "exec"), {"__name__": "__main__"})
    assert "clip-" in capsys.readouterr().out

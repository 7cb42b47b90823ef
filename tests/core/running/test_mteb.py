"""A run as a model of mteb: mteb's own figures are the bench's, and what it is given is what is encoded."""

from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from typer.testing import Result

from core.dataset import Video
from core.errors import BenchError
from core.progress import Silent
from core.running.mteb_model import RunSearch, corpus_key, corpus_videos, media_path
from core.running.mteb_task import evaluated, own_task, recalls
from core.runs import RunDirectory
from tests.command_line import assert_one_line

needs_mteb = pytest.mark.skipif(find_spec("mteb") is None, reason="the extra `mteb` is not installed")


class Queries(dict[str, list[str]]):
    """What mteb gives to be searched, as far as a run reads it."""

    @property
    def column_names(self) -> list[str]:
        return list(self)


@needs_mteb
@pytest.mark.slow
def test_mteb_computes_the_recalls_of_the_bench(trained_run: RunDirectory, tmp_path: Path) -> None:
    from mteb.models.models_protocols import SearchProtocol

    model = RunSearch(trained_run.path, tmp_path)
    assert isinstance(model, SearchProtocol)
    result = evaluated(model, [own_task(model.run.spec, "test", Silent())])["avworld-tiny-test"]
    ours = next(
        entry["metrics"]["expected"]
        for entry in trained_run.read_json("metrics.json")["results"]
        if (entry["direction"], entry["protocol"]["condition"]) == ("t2v", "leak-free")
        and entry["protocol"]["rescoring"] == "none"
    )
    assert recalls(result) == {name: pytest.approx(ours[name], abs=1e-3) for name in ("R@1", "R@5", "R@10")}
    assert model.mteb_model_meta.name == f"av-retrieval-bench/{trained_run.path.name}"
    asked = Queries(id=["a"], text=["a red square"])
    options: dict[str, Any] = {
        "task_metadata": None,
        "hf_split": "",
        "hf_subset": "",
        "encode_kwargs": {},
        "num_proc": 1,
    }
    two = list(model.names[:2])
    found = model.search(asked, top_k=1, top_ranked={"a": two}, **options)["a"]
    every = model.search(asked, top_k=1000, **options)["a"]
    assert set(found) <= set(two) and len(found) == 1
    assert list(every.values()) == sorted(every.values(), reverse=True)
    assert set(every) == set(model.names)
    with pytest.raises(BenchError, match="id, image and no text"):
        model.search(Queries(id=["a"], image=["b"]), top_k=1, **options)


@needs_mteb
def test_a_corpus_is_read_as_files_with_their_sound(tmp_path: Path) -> None:
    import datasets

    film, voice = tmp_path / "film.mp4", tmp_path / "voice.wav"
    film.write_bytes(b"film")
    voice.write_bytes(b"voice")
    features = datasets.Features(
        {"id": datasets.Value("string"), "video": datasets.Video(), "audio": datasets.Value("string")}
    )
    rows = {
        "id": ["own", "apart", "none", "bytes"],
        "video": [str(film), str(film), str(film), {"bytes": b"other", "path": "other.webm"}],
        "audio": [str(film), str(voice), None, None],
    }
    corpus = datasets.Dataset.from_dict(rows, features=features).cast_column("audio", datasets.Audio())
    own, apart, silent, given = corpus_videos(corpus, tmp_path / "media")
    assert own == Video("own", film)
    assert apart == Video("apart", film, sound=voice)
    assert silent == Video("none", film, sound="none")
    assert (given.path.read_bytes(), given.path.suffix, given.sound) == (b"other", ".webm", "none")
    quiet = corpus.remove_columns("audio")
    assert {video.sound for video in corpus_videos(quiet, tmp_path / "media")} == {"none"}
    with pytest.raises(BenchError, match="id, audio and no video"):
        corpus_videos(corpus.remove_columns("video"), tmp_path)
    missing = datasets.Dataset.from_dict(
        {"id": ["x"], "video": [None]},
        features=datasets.Features({"id": datasets.Value("string"), "video": datasets.Video()}),
    )
    with pytest.raises(BenchError, match="no video for 'x'"):
        corpus_videos(missing, tmp_path)


def test_another_revision_or_other_videos_are_decoded_anew() -> None:
    def key(revision: str, names: list[str], split: str = "test") -> str:
        return corpus_key(
            SimpleNamespace(name="task", dataset={"revision": revision}), split, "default", names
        )

    assert key("1", ["a"]) == key("1", ["a"])
    assert len({key("1", ["a"]), key("2", ["a"]), key("1", ["b"]), key("1", ["a"], "val")}) == 4


def test_a_file_that_is_here_is_read_where_it_is(tmp_path: Path) -> None:
    film = tmp_path / "film.mp4"
    film.write_bytes(b"film")
    assert media_path("a", {"path": str(film), "bytes": b"film"}, tmp_path / "media") == film
    assert not (tmp_path / "media").exists()
    assert media_path("a", None, tmp_path) is None


def test_without_mteb_the_extra_is_named(
    invoke: Callable[..., Result], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("core.extras.find_spec", lambda module: None)
    assert_one_line(
        invoke("export", "mteb", tmp_path), "bench export mteb needs mteb", "uv sync --extra mteb"
    )

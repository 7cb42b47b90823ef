"""Candidates: every product, or inverted lists that grow with the index; both find what is near."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks import search_at_scale as scale
from core.progress import Silent
from core.search import candidates
from core.search.contents import IndexContents
from core.search.layout import IndexFolder
from core.search.queries import query_vectors

VIDEOS = 700


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> IndexContents:
    """Two parts of made-up videos of twelve frames, under a method that attends them."""
    run: Any = scale.made_up_run("xpool")
    folder = IndexFolder(tmp_path_factory.mktemp("made"))
    return IndexContents(run, folder, scale.write_parts(run, folder, VIDEOS))


def naive(contents: IndexContents, queries: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """The largest product of each video, `(N, V)`."""
    rows = [np.asarray(contents.vectors(p, "vectors.npy"), np.float64) for p in contents.manifest.parts]
    products: np.ndarray[Any, Any] = np.einsum("vmd,nd->nvm", np.concatenate(rows), queries).max(-1)
    return products


def test_every_product_is_computed_below_the_threshold(made: IndexContents) -> None:
    queries = query_vectors(made.run, scale.made_up_texts(VIDEOS))
    found = candidates.opened_candidates(made)(queries, 5)
    expected = made.ids[np.argsort(-naive(made, queries), axis=1)[:, :5]]
    assert [set(row) for row in found] == [set(row) for row in expected]


def test_records_come_back_in_the_order_in_which_they_are_asked(made: IndexContents) -> None:
    ids = made.ids[[650, 3, 511, 600, 0]]
    together = made.scores(scale.made_up_texts(VIDEOS), made.record(ids))
    one_by_one = [made.scores(scale.made_up_texts(VIDEOS), made.record(ids[n : n + 1])) for n in range(5)]
    for column, alone in enumerate(one_by_one):
        np.testing.assert_allclose(together[:, column], alone[:, 0], atol=1e-6)


def test_the_exact_top_is_that_of_all_scores(made: IndexContents) -> None:
    texts = scale.made_up_texts(VIDEOS)
    scores = made.scores(texts, made.record(made.ids))
    expected = made.ids[scores.topk(3, dim=1).indices.numpy()]
    assert [row.tolist() for row in made.best(texts, 3)] == expected.tolist()


def test_lists_find_what_is_near_and_grow_and_forget(
    made: IndexContents, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("faiss")
    monkeypatch.setattr(candidates, "IVF_FROM", 100)
    first, second = made.manifest.parts
    queries = query_vectors(made.run, scale.made_up_texts(VIDEOS))
    small = made.manifest.model_copy(update={"parts": (first,)})
    small = candidates.with_lists(IndexContents(made.run, made.folder, small), Silent())
    assert small.in_faiss == (0,)
    forgetful = first.model_copy(update={"gone": (3, 4)})
    grown = small.model_copy(update={"parts": (forgetful, second)})
    contents = IndexContents(made.run, made.folder, grown)
    grown = candidates.with_lists(contents, Silent())
    contents = IndexContents(made.run, made.folder, grown)
    assert grown.in_faiss == (0, 1)
    find = candidates.InvertedLists(contents)
    assert find.index.ntotal == 12 * len(contents.ids) == 12 * (VIDEOS - 2)
    exact = candidates.EveryProduct(contents)(queries, 10)
    found = find(queries, 30)
    kept = np.mean([np.isin(top, some).mean() for top, some in zip(exact, found, strict=True)])
    assert kept > 0.9
    assert not np.isin([3, 4], np.concatenate(found)).any()
    assert all(len(set(row)) == len(row) <= 30 for row in found)


def test_a_large_index_without_faiss_is_one_line(
    made: IndexContents, monkeypatch: pytest.MonkeyPatch
) -> None:
    import sys

    monkeypatch.setattr(candidates, "IVF_FROM", 100)
    monkeypatch.setitem(sys.modules, "faiss", None)
    with pytest.raises(candidates.BenchError, match="needs faiss; pip install"):
        candidates.with_lists(made, Silent())


def test_a_damaged_file_of_lists_is_one_line(made: IndexContents, tmp_path: Path) -> None:
    pytest.importorskip("faiss")
    (tmp_path / "candidates.faiss").write_bytes(b"no lists")
    other = IndexContents(made.run, made.folder, made.manifest)
    other.folder = IndexFolder(tmp_path)
    with pytest.raises(candidates.BenchError, match="candidates.faiss is damaged"):
        candidates.InvertedLists(other)

"""What a run leaves behind: every figure follows from the ranks, and carries its protocol."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor

from core.dataset import Split, Truth, Video
from core.evaluation.gates import GateReport
from core.evaluation.ranking import text_to_video, video_to_text
from core.evaluation.results import Result, write_results
from core.evaluation.top import top_lists
from core.resolving import resolve
from core.scoring.similarities import similarities
from tests.naive_metrics import naive_metrics

PAIRING = (0, 0, 0, 1, 2, 2, 3, 3, 4)
STRATA = ("needed", "needed", "silent", "partial", "silent", "needed")
SPEC = resolve("gaid", "avworld", {"seeds.noise": 3, "training.selection": "last"})
TOLERANCE = 1e-6


def split(pairing: tuple[int, ...] = PAIRING) -> Split:
    """Six videos, the last one without a caption; the first two share their pixels."""
    videos = tuple(
        Video(f"v{i}", Path(f"v{i}.mp4"), group="twins" if i < 2 else "") for i in range(len(STRATA))
    )
    captions = tuple(f"caption {i}" for i in range(len(pairing)))
    return Split(videos, captions, pairing, tuple(Truth(stratum, ()) for stratum in STRATA))


def scores() -> Tensor:
    """Cosines on a coarse grid, so that many of them tie."""
    generator = torch.Generator().manual_seed(1)
    return torch.randint(0, 5, (len(PAIRING), len(STRATA)), generator=generator) / 5


def results_of(matrix: Tensor, **names: str) -> list[Result]:
    pairing = torch.tensor(PAIRING)
    fields = {"split": "test", "condition": "leak-free", "rescoring": "none", "label": "none", **names}
    records = [rank(matrix, pairing, undefined="allow") for rank in (text_to_video, video_to_text)]
    return [
        Result(
            **fields,
            tolerance=TOLERANCE,
            records=of_direction,
            top=top_lists(matrix, pairing, of_direction.direction, kept=4),
            engine="exact",
        )
        for of_direction in records
    ]


def written(
    folder: Path, results: list[Result], gates: Any = None
) -> tuple[list[dict[str, Any]], pd.DataFrame]:
    write_results(folder, SPEC, {"test": split()}, results, gates or {}, {"paragraph": "none"})
    return json.loads((folder / "metrics.json").read_text())["results"], pd.read_parquet(
        folder / "queries.parquet"
    )


def ranks_by_hand(matrix: np.ndarray[Any, Any]) -> dict[str, list[tuple[int, int]]]:
    """Best and worst rank of every query, by counting; a caption group counts as its best caption."""
    t2v = []
    for text, own in enumerate(PAIRING):
        others = [matrix[text, v] for v in range(matrix.shape[1]) if v != own]
        higher = sum(s > matrix[text, own] + TOLERANCE for s in others)
        t2v.append((1 + higher, 1 + higher + sum(abs(s - matrix[text, own]) <= TOLERANCE for s in others)))
    v2t = []
    for video in sorted(set(PAIRING)):
        best = {g: max(matrix[t, video] for t, p in enumerate(PAIRING) if p == g) for g in set(PAIRING)}
        others = [s for g, s in best.items() if g != video]
        higher = sum(s > best[video] + TOLERANCE for s in others)
        v2t.append((1 + higher, 1 + higher + sum(abs(s - best[video]) <= TOLERANCE for s in others)))
    return {"t2v": t2v, "v2t": v2t}


def test_the_table_of_queries_holds_the_ranks_that_counting_gives(tmp_path: Path) -> None:
    matrix = scores()
    _, table = written(tmp_path, results_of(matrix))
    for direction, expected in ranks_by_hand(matrix.double().numpy()).items():
        rows = table[table["direction"] == direction]
        found = list(zip(rows["rank_optimistic"], rows["rank_pessimistic"], strict=True))
        assert found == expected
        assert any(best != worst for best, worst in expected)
        assert rows["rank_expected"].tolist() == [(best + worst) / 2 for best, worst in expected]


def test_the_table_names_query_group_stratum_and_best_rival(tmp_path: Path) -> None:
    matrix = scores()
    _, table = written(tmp_path, results_of(matrix))
    rows = table[table["direction"] == "t2v"]
    assert rows["text"].tolist() == list(split().captions)
    assert rows["video"].tolist() == [f"v{v}" for v in PAIRING]
    assert rows["group"].tolist() == ["twins" if v < 2 else f"v{v}" for v in PAIRING]
    assert rows["stratum"].tolist() == [STRATA[v] for v in PAIRING]
    assert rows["own_score"].tolist() == pytest.approx([float(matrix[t, v]) for t, v in enumerate(PAIRING)])
    for text, (own, rival, score) in enumerate(
        zip(PAIRING, rows["best_wrong_video"], rows["best_wrong_score"], strict=True)
    ):
        others = {f"v{v}": float(s) for v, s in enumerate(matrix[text]) if v != own}
        assert others[rival] == pytest.approx(max(others.values())) == pytest.approx(score)


@pytest.mark.parametrize("policy", ["optimistic", "pessimistic", "expected", "xpool"])
def test_metrics_follow_from_the_ranks(policy: str, tmp_path: Path) -> None:
    entries, table = written(tmp_path, results_of(scores()))
    assert [entry["direction"] for entry in entries] == ["t2v", "v2t"]
    for entry in entries:
        rows = table[table["direction"] == entry["direction"]]
        found = {name: value for name, value in entry["metrics"][policy].items() if name != "hubness"}
        assert found == pytest.approx(naive_metrics(rows, policy))


def test_every_result_carries_its_protocol(tmp_path: Path) -> None:
    results = results_of(scores(), condition="released", rescoring="dsl", label="DSL (transductive)")
    entries, _ = written(tmp_path, results)
    differing = entries[0]["protocol"]["differs_from_authors"]
    assert differing["config.loss_weights"] == "positive-cosine-released"
    assert differing["training.selection"] == "test-best"
    common = {
        "differs_from_authors": differing,
        "split": "test",
        "condition": "released",
        "rescoring": "dsl",
        "rescoring_uses": "DSL (transductive)",
        "selection": "last",
        "recipe": "ours",
        "trained_on": None,
        "audio": "as-is",
        "picture": "as-is",
        "distractors": None,
        "training_pairs": "paired",
        "audio_alignment": "clip",
        "tie_tolerance": TOLERANCE,
        "noise_seed": 3,
        "text_tokens": 40,
        "gallery_fingerprint": split().fingerprint,
        "engine": "exact",
        "matmul_precision": "float32",
        "data": {
            "missing": "fail",
            "resize": "antialiased",
            "frames_as": "raw",
            "reader": "own",
            "channels": "mean",
            "sound_end": "picture",
            "only": "all",
            "paragraph": "none",
        },
    }
    assert entries[0]["protocol"] == {**common, "queries": len(PAIRING), "gallery": len(STRATA)}
    assert entries[1]["protocol"] == {**common, "queries": 5, "gallery": 5}


def test_a_method_without_pairs_or_sound_says_so(tmp_path: Path) -> None:
    folder = tmp_path
    spec = SPEC.model_copy(update={"config": {}})
    write_results(folder, spec, {"test": split()}, results_of(scores()), {})
    protocol = json.loads((folder / "metrics.json").read_text())["results"][0]["protocol"]
    assert (protocol["training_pairs"], protocol["audio_alignment"]) == ("not applicable", "not applicable")


def test_strata_average_the_credit_of_their_queries(tmp_path: Path) -> None:
    matrix = scores()
    entries, _ = written(tmp_path, results_of(matrix))
    ranks = ranks_by_hand(matrix.double().numpy())
    for entry, videos in zip(entries, (PAIRING, sorted(set(PAIRING))), strict=True):
        credit = [(best == 1) / (worst - best + 1) for best, worst in ranks[entry["direction"]]]
        for stratum in dict.fromkeys(STRATA[v] for v in videos):
            mine = [c for c, v in zip(credit, videos, strict=True) if STRATA[v] == stratum]
            assert entry["strata"][stratum] == pytest.approx(100 * np.mean(mine))
        total = sum(
            share * sum(STRATA[v] == stratum for v in videos) for stratum, share in entry["strata"].items()
        )
        assert total / len(videos) == pytest.approx(entry["metrics"]["expected"]["R@1"])


def test_an_interval_brackets_its_estimate_and_is_as_wide_as_the_groups_allow(tmp_path: Path) -> None:
    entries, _ = written(tmp_path, results_of(scores()))
    for entry in entries:
        low, high = entry["recall_at_1_interval"]
        assert 0 <= low <= entry["metrics"]["expected"]["R@1"] <= high <= 100
        assert low < high


def test_undefined_scores_are_counted_and_left_out(tmp_path: Path) -> None:
    """As where the released pooling has no caption for a slot: NaN for every video of that caption."""
    matrix = scores()
    matrix[[2, 5]] = torch.nan
    entries, table = written(tmp_path, results_of(matrix, condition="released"))
    t2v, v2t = entries
    assert t2v["metrics"]["expected"]["undefined"] == 2
    assert t2v["metrics"]["expected"]["entries"] == len(PAIRING) - 2
    assert v2t["metrics"]["expected"]["undefined"] == 0
    rows = table[table["direction"] == "t2v"]
    assert rows["rank_expected"].isna().tolist() == [text in (2, 5) for text in range(len(PAIRING))]
    found = {name: value for name, value in t2v["metrics"]["expected"].items() if name != "hubness"}
    assert found == pytest.approx(naive_metrics(rows, "expected"))
    assert t2v["protocol"]["queries"] == len(PAIRING)


def test_a_matrix_without_any_defined_score_is_written_and_read(tmp_path: Path) -> None:
    entries, _ = written(tmp_path, results_of(torch.full((len(PAIRING), len(STRATA)), torch.nan)))
    assert entries[0]["metrics"]["expected"]["undefined"] == len(PAIRING)
    assert np.isnan(entries[0]["metrics"]["expected"]["R@1"])
    assert entries[0]["recall_at_1_interval"] is None


def test_gates_are_stored_with_their_truth(tmp_path: Path) -> None:
    report = GateReport(
        video=torch.tensor([0, 3]),
        values=torch.tensor([[0.1, 0.9], [0.5, 0.4]]),
        audible=torch.tensor([True, False]),
        truth=torch.tensor([[False, True], [True, False]]),
        untrained=torch.tensor([[0.5, 0.5], [0.5, 0.25]]),
        auroc={"trained": {"audible": 1.0}},
        average_precision={"trained": {"audible": 1.0, "share of audible": 0.5}},
    )
    written(tmp_path, results_of(scores()), {"test": report})
    stored = load_file(tmp_path / "gates.safetensors")
    assert {name: tensor.tolist() for name, tensor in stored.items()} == {
        "test/video": report.video.tolist(),
        "test/gates": report.values.tolist(),
        "test/audible": report.audible.tolist(),
        "test/truth": report.truth.tolist(),
        "test/untrained": report.untrained.tolist(),
    }
    gates = json.loads((tmp_path / "metrics.json").read_text())["gates"]
    assert gates == {
        "test": {
            "axis": "frame",
            "auroc": report.auroc,
            "average_precision": report.average_precision,
        }
    }


def test_similarities_are_kept_as_counts_where_they_are_cosines(tmp_path: Path) -> None:
    found = similarities(scores(), torch.tensor(PAIRING))
    t2v, v2t = results_of(scores())
    entries, _ = written(tmp_path, [replace(t2v, similarities=found), v2t])
    assert entries[0]["similarities"] == {
        "positive": found.positive.tolist(),
        "negative": found.negative.tolist(),
    }
    assert entries[1]["similarities"] is None


def test_no_gates_leave_no_file(tmp_path: Path) -> None:
    written(tmp_path, results_of(scores()))
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "metrics.json",
        "queries.parquet",
        "top.parquet",
    ]


def test_the_table_of_best_candidates_names_them_best_first(tmp_path: Path) -> None:
    matrix = scores()
    written(tmp_path, results_of(matrix))
    top = pd.read_parquet(tmp_path / "top.parquet")
    for text, row in enumerate(matrix.tolist()):
        found = top[(top["direction"] == "t2v") & (top["query"] == text)]
        best = sorted(range(len(row)), key=lambda v: -row[v])[:4]
        assert found["video"].tolist() == [f"v{v}" for v in best]
        assert found["score"].tolist() == pytest.approx([row[v] for v in best])
        assert found["position"].tolist() == [1, 2, 3, 4]


def test_a_candidate_without_a_score_is_in_no_list(tmp_path: Path) -> None:
    matrix = scores()
    matrix[0, 1:] = torch.nan
    written(tmp_path, results_of(matrix, condition="released"))
    top = pd.read_parquet(tmp_path / "top.parquet")
    assert top[(top["direction"] == "t2v") & (top["query"] == 0)]["video"].tolist() == ["v0"]


def test_a_gallery_is_its_videos_captions_and_pairing() -> None:
    same, other = split(), split((0, 0, 0, 1, 2, 2, 3, 3, 5))
    assert same.fingerprint == split().fingerprint
    assert other.fingerprint != same.fingerprint

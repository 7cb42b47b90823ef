"""The study: what it measures, what it samples and scales, and what it refuses."""

import pytest
import torch

from core.errors import BenchError
from core.plugin_errors import PluginError
from core.progress import Silent
from core.registry import find_method
from core.timing.clock import Seconds
from core.timing.engines import EngineSide
from core.timing.plan import Plan, device_of
from core.timing.records import Measurement, MedianSeconds, Study
from core.timing.released import ReleasedSide, extrapolated
from core.timing.study import run_study
from core.timing.works import Setting, Work, perturbations_of, random_texts, random_videos, works_of
from methods.released.procedure import GROWTH

pytestmark = pytest.mark.slow

CPU = torch.device("cpu")
SETTING = Setting(frames=3, width=16, trials=2)
PERTURBATIONS = ("none", "dasp", "stp-fresh", "stp-per-text")


@pytest.fixture(autouse=True)
def a_known_ceiling(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("core.timing.study.gemm_rate", lambda device: 100.0)


def study_of(*works: Work, videos: tuple[int, ...] = (6,), **plan: object) -> Study:
    return run_study(Plan(works, videos, 20, SETTING, repeats=2, released_videos=5, **plan), Silent())


def row_of(study: Study, perturbation: str, implementation: str) -> Measurement:
    [row] = [r for r in study.rows if (r.perturbation, r.implementation) == (perturbation, implementation)]
    return row


def test_every_work_is_measured_by_every_implementation_or_an_obstacle_is_named() -> None:
    study = study_of(*(Work("tmass", perturbation) for perturbation in PERTURBATIONS))
    assert len(study.rows) == 3 * len(PERTURBATIONS)
    for row in study.rows:
        assert (row.queries is None) == bool(row.obstacle)
        if row.implementation != "as released":
            assert row.index is not None
            assert row.latency is not None
            assert row.latency.queries == 20
            assert row.latency.p50 is not None
            assert row.gflop_per_second == pytest.approx(row.gflop / row.queries.busy)
    assert [row.perturbation for row in study.rows if row.obstacle] == ["stp-per-text"]
    assert "see stp-fresh" in row_of(study, "stp-per-text", "as released").obstacle


def test_a_composition_without_algebra_names_its_obstacle() -> None:
    study = study_of(Work("avigate", "none"))
    assert row_of(study, "none", "exact").obstacle == "multi-grained interaction"
    assert "no loop" in row_of(study, "none", "as released").obstacle


def test_the_time_of_a_sample_is_scaled_to_a_thousand_queries() -> None:
    work = Work("xpool", "none")
    texts, videos = random_texts(20, SETTING, CPU), random_videos(6, SETTING, CPU)
    side = EngineSide("exact", work, work.build(SETTING), texts, videos)
    side.build()
    side.sampled = 4
    row = side.measurement([Seconds(1, 2)], [Seconds(2, 9), Seconds(1, 3), Seconds(4, 1)], budget=0)
    assert row.sampled_texts == 4
    assert row.index == MedianSeconds(busy=1, wall=2)
    assert row.queries == MedianSeconds(busy=500, wall=750)  # 2 and 3 seconds for 4 texts
    assert row.latency is not None
    assert row.latency.queries == 3
    cost = side.method.timed.cost(exact=True)
    assert row.gflop == pytest.approx(cost.gflop(1000, 6))


def test_a_measurement_that_takes_too_long_scores_a_sample() -> None:
    assert {row.sampled_texts for row in study_of(Work("xpool", "none"), budget=0).rows} == {None, 4}
    assert {row.sampled_texts for row in study_of(Work("xpool", "none"), budget=1e9).rows} == {None}


def test_a_larger_gallery_is_extrapolated_stage_by_stage() -> None:
    laps = {"gate": Seconds(1, 2), "pooling": Seconds(3, 4), "product": Seconds(5, 6)}
    assert extrapolated(laps, GROWTH, 10, 20) == Seconds(1 * 2 + 3 * 4 + 5 * 8, 2 * 2 + 4 * 4 + 6 * 8)
    assert extrapolated(laps, GROWTH, 10, 10) == Seconds(9, 12)


def test_stages_over_pairs_grow_by_the_square_and_the_product_of_galleries_by_the_cube() -> None:
    assert (GROWTH["perturbation"], GROWTH["grouping"], GROWTH["product"]) == (2, 2, 3)


def test_the_released_procedure_is_run_once_for_all_galleries(monkeypatch: pytest.MonkeyPatch) -> None:
    runs = []
    original = ReleasedSide.query
    monkeypatch.setattr(ReleasedSide, "query", lambda self: (runs.append(self.size), original(self)))
    study = study_of(Work("xpool", "none"), videos=(6, 12))
    assert runs == [5, 5]  # two repeats
    small, large = (row.queries for row in study.rows if row.implementation == "as released")
    assert small is not None
    assert large is not None
    # Stages over pairs, with twice the videos and texts, take twice as long per text; the gate takes as long.
    assert 1 < large.busy / small.busy <= 2


def test_loops_that_fail_are_one_line_with_their_method(monkeypatch: pytest.MonkeyPatch) -> None:
    method = Work("xpool", "none").build(SETTING)

    def fails(*_: object) -> None:
        raise IndexError("no frame")

    monkeypatch.setattr(type(method.timed), "loops", fails)
    with pytest.raises(PluginError, match=r"^xpool: timed\.loops fails .*IndexError: no frame"):
        study_of(Work("xpool", "none"))


def test_methods_without_a_perturbation_are_timed_once_and_a_note_says_so() -> None:
    works, notes = works_of(["clip4clip", "gaid"], ["none", "dasp"])
    assert works == [Work("clip4clip", "none"), Work("gaid", "none"), Work("gaid", "dasp")]
    assert notes == ["clip4clip has no perturbation; it is timed as it is"]


def test_the_perturbations_of_a_method_are_its_kinds_and_the_laws_of_their_noise() -> None:
    assert set(perturbations_of(find_method("tmass"))) == set(PERTURBATIONS)
    assert perturbations_of(find_method("clip4clip")) == []


def test_no_weight_of_a_work_is_left_as_it_was_initialised() -> None:
    weights = dict(Work("gaid", "dasp").build(SETTING).named_parameters())
    untouched = {name for name, weight in weights.items() if bool((weight == 0).any() or (weight == 1).any())}
    assert untouched <= {"logit_scale"}


def test_the_threads_of_torch_are_as_before() -> None:
    before = torch.get_num_threads()
    study = study_of(Work("xpool", "none"), threads=before + 1)
    assert (study.threads, torch.get_num_threads()) == (before + 1, before)


@pytest.mark.parametrize("videos", [(), (0,), (5, -1)])
def test_a_gallery_has_a_video(videos: tuple[int, ...]) -> None:
    with pytest.raises(BenchError, match="--videos"):
        Plan([Work("xpool", "none")], videos, 10)


def test_nothing_to_time_is_refused() -> None:
    with pytest.raises(BenchError, match="--methods"):
        Plan([], [10], 10)


def test_a_device_is_one_that_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert device_of(None) == device_of("cpu") == CPU
    with pytest.raises(BenchError, match="no GPU"):
        device_of("cuda")
    with pytest.raises(BenchError, match="unknown device 'tpu'"):
        device_of("tpu")

"""Gates against the truth: majority of a segment, silent clips left out, one AUROC per pool."""

import math
from collections.abc import Callable
from itertools import product

import pytest
import torch
from torch import Tensor

from core.batch import first_captions
from core.dataset import Truth
from core.evaluation.gates import clip_auroc, frame_auroc, frame_truth, gate_report, pooled_precision, pools
from core.retriever import Retriever, SplitData
from core.running.cells import RunInputs, build_method
from core.spec import RunSpec

STRATA = ["partial", "partial", "silent", "needed", "partial"]


@pytest.mark.parametrize(
    ("relevant", "expected"),
    [
        ((), [False, False, False, False]),
        (((0.0, 4.0),), [True, True, True, True]),
        (((1.0, 2.0),), [False, True, False, False]),
        (((0.5, 1.5),), [False, False, False, False]),  # exactly half of either segment is no majority
        (((0.49, 1.51),), [True, True, False, False]),
        (((0.0, 0.3), (0.6, 0.9)), [True, False, False, False]),  # two spans add up to .6
        (((0.0, 0.3), (0.8, 1.0)), [False, False, False, False]),
        (((3.4, 9.0),), [False, False, False, True]),  # behind the clip's end nothing counts
        (((-2.0, 0.4),), [False, False, False, False]),
    ],
)
def test_a_frame_is_relevant_when_the_sound_matters_for_most_of_its_segment(
    relevant: tuple[tuple[float, float], ...], expected: list[bool]
) -> None:
    assert frame_truth(Truth("partial", relevant), 4.0, 4) == expected


@pytest.mark.parametrize("frames", [1, 3, 12, 24])
def test_the_closed_form_agrees_with_fine_sampling(frames: int) -> None:
    truth, duration, steps = Truth("partial", ((0.37, 1.21), (2.9, 3.4))), 4.1, 20_000
    inside = [
        any(start <= (i + 0.5) * duration / steps < end for start, end in truth.relevant)
        for i in range(steps)
    ]
    share = torch.tensor(inside).double().tensor_split(frames)
    assert frame_truth(truth, duration, frames) == [bool(part.mean() > 0.5) for part in share]


def test_the_first_caption_of_each_video_is_taken_in_the_order_of_the_captions() -> None:
    assert first_captions(torch.tensor([4, 4, 1, 0, 1, 4, 7])).tolist() == [0, 2, 3, 6]


def naive_auroc(gate: Tensor, truth: Tensor) -> float:
    """Share of (positive, negative) pairs in the right order, ties half."""
    pairs = list(product(gate[truth].tolist(), gate[~truth].tolist()))
    return sum(1.0 if p > n else 0.5 if p == n else 0.0 for p, n in pairs) / len(pairs)


@pytest.fixture
def gate() -> Tensor:
    return torch.randint(0, 6, (5, 4), generator=torch.Generator().manual_seed(0)) / 6


@pytest.fixture
def truth() -> Tensor:
    return torch.tensor([[1, 1, 0, 0], [0, 1, 0, 0], [0, 1, 1, 0], [1, 1, 1, 1], [0, 0, 0, 0]]).bool()


AUDIBLE = torch.tensor([True, True, False, True, True])


def test_pools_are_all_audible_clips_and_each_stratum_of_them() -> None:
    found = {name: mask.tolist() for name, mask in pools(AUDIBLE, STRATA).items()}
    assert found == {
        "audible": [True, True, False, True, True],
        "partial": [True, True, False, False, True],
        "needed": [False, False, False, True, False],
    }


def test_frame_auroc_pools_frames_and_averages_clips(gate: Tensor, truth: Tensor) -> None:
    found = frame_auroc(gate, truth, AUDIBLE, STRATA)
    partial = torch.tensor([True, True, False, False, True])
    within = [naive_auroc(gate[row], truth[row]) for row in (0, 1)]  # the others have one kind of frames
    assert found == pytest.approx(
        {
            "audible": naive_auroc(gate[AUDIBLE], truth[AUDIBLE]),
            "within audible": sum(within) / 2,
            "partial": naive_auroc(gate[partial], truth[partial]),
            "within partial": sum(within) / 2,
        }
    )


def test_gates_per_layer_are_scored_layer_by_layer(
    materials: RunInputs, make_retriever: Callable[..., tuple[Retriever, RunSpec]]
) -> None:
    retriever, spec = make_retriever("avigate")
    data = SplitData.of(materials.dataset.splits["test"], materials.clip, materials.store)
    report = gate_report(retriever, build_method(spec, materials, 1), data)
    assert report is not None and report.truth is not None
    layers = range(1, report.values.shape[1] + 1)
    names = [f"{gate} layer {layer}" for gate in ("trained", "untrained") for layer in layers]
    assert list(report.auroc) == list(report.average_precision) == names
    matters = report.truth.any(1)[report.audible]
    first = report.values[report.audible, 0]
    assert report.auroc["trained layer 1"]["audible"] == pytest.approx(naive_auroc(first, matters))


def naive_precision(gate: Tensor, truth: Tensor) -> float:
    """Mean over the relevant frames of the share of relevant ones among those with at least their gate."""
    return float(torch.stack([truth[gate >= value].double().mean() for value in gate[truth]]).mean())


def test_average_precision_stands_beside_the_share_of_relevant_frames(gate: Tensor, truth: Tensor) -> None:
    partial = torch.tensor([True, True, False, False, True])
    assert pooled_precision(gate, truth, AUDIBLE, STRATA) == pytest.approx(
        {
            "audible": naive_precision(gate[AUDIBLE], truth[AUDIBLE]),
            "share of audible": 7 / 16,
            "partial": naive_precision(gate[partial], truth[partial]),
            "share of partial": 3 / 12,
        }
    )


def test_silent_clips_change_nothing(gate: Tensor, truth: Tensor) -> None:
    louder = gate.clone()
    louder[2] = 1 - truth[2].float()
    assert frame_auroc(louder, truth, AUDIBLE, STRATA) == frame_auroc(gate, truth, AUDIBLE, STRATA)


def test_a_perfect_gate_scores_one_and_a_constant_gate_a_half(truth: Tensor) -> None:
    assert set(frame_auroc(truth.float(), truth, AUDIBLE, STRATA).values()) == {1.0}
    assert set(frame_auroc(torch.ones(5, 4), truth, AUDIBLE, STRATA).values()) == {0.5}


def test_a_gate_per_clip_is_scored_against_any_relevant_frame(gate: Tensor, truth: Tensor) -> None:
    values = torch.tensor([0.9, 0.2, 0.0, 0.4, 0.3])
    found = clip_auroc(values, truth, AUDIBLE, STRATA)
    matters = truth.any(1)
    partial = torch.tensor([True, True, False, False, True])
    assert found == pytest.approx(
        {
            "audible": naive_auroc(values[AUDIBLE], matters[AUDIBLE]),
            "partial": naive_auroc(values[partial], matters[partial]),
        }
    )


def test_a_clip_of_which_every_frame_matters_has_no_auroc_of_its_own(gate: Tensor, truth: Tensor) -> None:
    only = torch.tensor([True, False, False, True, False])
    found = frame_auroc(gate, truth, only, STRATA)
    assert "needed" not in found
    assert not any(math.isnan(value) for value in found.values())

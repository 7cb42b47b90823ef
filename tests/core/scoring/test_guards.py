"""What scoring refuses: one line that names the row."""

import pytest
import torch
from torch.optim import Optimizer

from core.batch import Texts, Videos
from core.errors import BenchError
from core.method import Dimensions
from core.resolving import resolve
from core.scoring.noise import KeyedNoise
from core.scoring.scoring import ScoringIndex, build_index, score_matrix
from core.training.optimizers import BertAdam, XPoolAdamW
from methods.xpool import XPool

NOISE = KeyedNoise(0, "per-text")


def corpus(frames: int = 4, width: int = 8) -> tuple[XPool, Texts, Videos]:
    method = XPool(XPool.Config(), Dimensions(width, frames))
    texts = Texts(torch.randn(3, width), torch.arange(3))
    mask = torch.ones(5, frames, dtype=torch.bool)
    videos = Videos(torch.randn(5, frames, width), mask, torch.arange(5), torch.randn(5, 6, width))
    return method, texts, videos


@pytest.mark.parametrize("value", [torch.nan, torch.inf, -torch.inf])
@pytest.mark.parametrize(
    ("field", "message"),
    [("frames", r"video 3, frame 1: .* not finite"), ("audio", r"video 3, audio state 1: .* not finite")],
)
def test_a_feature_that_is_not_finite_is_named(value: float, field: str, message: str) -> None:
    method, _, videos = corpus()
    getattr(videos, field)[3, 1, 2] = value
    with pytest.raises(BenchError, match=message):
        build_index(method, videos)


def test_a_frame_of_zeros_is_named_unless_it_is_padding() -> None:
    method, texts, videos = corpus()
    videos.frames[2, 3] = 0
    with pytest.raises(BenchError, match="video 2, frame 3: its embedding has length zero"):
        build_index(method, videos)
    videos.frame_mask[2, 3] = False
    assert score_matrix(method, texts, build_index(method, videos), noise=NOISE).isfinite().all()


@pytest.mark.parametrize(
    ("value", "message"), [(torch.nan, "text 1: .* not finite"), (0.0, "text 1: .* zero")]
)
def test_a_text_without_direction_is_named(value: float, message: str) -> None:
    method, texts, videos = corpus()
    texts.embeds[1] = value
    with pytest.raises(BenchError, match=message):
        score_matrix(method, texts, build_index(method, videos), noise=NOISE)


def test_an_empty_corpus_is_refused() -> None:
    method, texts, videos = corpus()
    with pytest.raises(BenchError, match="no videos"):
        build_index(method, videos[:0])
    with pytest.raises(BenchError, match="no texts"):
        score_matrix(method, texts[:0], build_index(method, videos), noise=NOISE)


def test_videos_and_texts_of_another_shape_are_refused() -> None:
    method, texts, videos = corpus()
    with pytest.raises(BenchError, match="texts are 6 wide, the method is 8"):
        score_matrix(method, Texts(torch.randn(3, 6), texts.keys), build_index(method, videos), noise=NOISE)
    other, _, longer = corpus(frames=7)
    with pytest.raises(BenchError, match=r"videos have \(7, 8\) frames x width, the method has \(4, 8\)"):
        build_index(method, longer)
    with pytest.raises(BenchError, match="index holds videos of 7 frames x 8, xpool takes 4 x 8"):
        score_matrix(method, texts, build_index(other, longer), noise=NOISE)


@pytest.mark.parametrize("engine", ["exact", "modules"])
def test_an_index_is_refused_after_the_weights_changed(engine: str) -> None:
    method, texts, videos = corpus()
    index = build_index(method, videos, engine=engine)
    assert isinstance(index, ScoringIndex)
    score_matrix(method, texts, index, noise=NOISE)
    with torch.no_grad():
        method.pooling.linear_proj.bias[3] += 1e-6
    with pytest.raises(BenchError, match="xpool's weights have changed since the index was built"):
        score_matrix(method, texts, index, noise=NOISE)


@pytest.mark.parametrize("optimizer", [XPoolAdamW, BertAdam])
def test_a_step_or_a_load_makes_an_index_stale_and_scoring_does_not(optimizer: type[Optimizer]) -> None:
    method, texts, videos = corpus()
    index = build_index(method, videos)
    for _ in range(2):
        score_matrix(method, texts, index, noise=NOISE)
    method.pooling.linear_proj.bias.grad = torch.ones(8)
    optimizer([{"params": list(method.parameters()), "lr": 1e-9, "weight_decay": 0.0}]).step()
    with pytest.raises(BenchError, match="weights have changed"):
        score_matrix(method, texts, index, noise=NOISE)
    index = build_index(method, videos)
    method.load_state_dict(XPool(XPool.Config(), method.dimensions).state_dict(), assign=True)
    with pytest.raises(BenchError, match="weights have changed"):
        score_matrix(method, texts, index, noise=NOISE)


def test_there_is_at_least_one_trial() -> None:
    with pytest.raises(BenchError, match="trials: .* greater than or equal to 1"):
        resolve("tmass", "avworld-tiny", {"config.trials": 0})

"""The backbones, the cached features and a method as one module: the same numbers by either road."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from core.encoders.clip import ClipBackbone
from core.progress import Silent
from core.retriever import Retriever, SplitData
from core.running.cells import RunInputs
from core.store.features import encode_store
from core.store.store import StoreSettings, prepare_store


@pytest.fixture(scope="module")
def several(materials: RunInputs) -> SplitData:
    """A split with several captions per video."""
    return SplitData.of(materials.dataset.splits["test-multi"], materials.clip, materials.store)


def test_a_split_keeps_captions_videos_and_their_pairing(materials: RunInputs, several: SplitData) -> None:
    split = several.split
    assert len(several.tokens) == len(split.captions) > len(split.videos) == len(several.rows)
    assert [materials.store.ids[row] for row in several.rows.tolist()] == [video.id for video in split.videos]
    assert tuple(several.pairing.tolist()) == split.video_of_caption
    other = SplitData.of(materials.dataset.splits["train"], materials.clip, materials.store)
    assert not set(several.rows.tolist()) & set(other.rows.tolist())


def test_a_whole_split_is_encoded_like_its_captions_and_videos_one_by_one(
    make_retriever: Callable, several: SplitData, monkeypatch: pytest.MonkeyPatch
) -> None:
    retriever, _ = make_retriever("gaid")
    monkeypatch.setattr("core.retriever.ENCODE_BATCH", 7)
    texts, videos = retriever.encode_texts(several), retriever.encode_videos(several)
    assert not texts.embeds.requires_grad
    for row in (0, 7, len(several.tokens) - 1):
        alone = retriever.backbone.model.encode_text(several.tokens[row : row + 1])
        torch.testing.assert_close(texts.embeds[row : row + 1], alone, atol=1e-5, rtol=1e-5)
    for position in (0, 7, len(several.rows) - 1):
        row = int(several.rows[position])
        assert torch.equal(videos.frames[position], torch.from_numpy(retriever.features.frames[row].copy()))
        assert bool(videos.has_audio[position]) == bool(retriever.store.has_audio[row])
    assert not videos.has_audio.all()
    assert videos.has_audio.any()


@pytest.mark.parametrize("sampling", ["segment-centres", "one-per-second"])
def test_pixels_through_the_tower_give_the_cached_features(
    sampling: str, make_retriever: Callable, materials: RunInputs, tmp_path: Path
) -> None:
    videos = [split.videos[0] for split in materials.dataset.splits.values()]
    settings = StoreSettings(frames=12, sampling=sampling, size=materials.clip.image_size)
    store = prepare_store(videos, "four clips", settings, tmp_path / "store", workers=1, progress=Silent())
    clip = ClipBackbone.load("avworld")
    features = encode_store(store, clip, None, tmp_path, workers=1, progress=Silent(), device="cpu")
    _, spec = make_retriever("clip4clip", training__mode="finetune")
    method = make_retriever("clip4clip")[0].method
    rows = torch.arange(len(videos))
    live = Retriever(clip, method, features, store, spec.training).videos(rows)
    assert bool(live.frame_mask.all()) == (sampling == "segment-centres")
    torch.testing.assert_close(live.frames, features.videos(rows).frames, atol=1e-4, rtol=1e-4)
    assert live.patches is None
    asked = encode_store(
        store, clip, None, tmp_path, workers=1, progress=Silent(), device="cpu", patches=True
    )
    live = Retriever(clip, method, asked, store, spec.training).videos(rows)
    torch.testing.assert_close(live.frames, asked.videos(rows).frames, atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(live.patches, asked.videos(rows).patches.float(), atol=1e-2, rtol=1e-3)
    assert live.patches.requires_grad


def test_only_finetuning_sends_gradients_into_the_pictures(
    make_retriever: Callable, several: SplitData
) -> None:
    for mode, picture, text in [
        ("frozen", False, False),
        ("text-tuned", False, True),
        ("finetune", True, True),
    ]:
        retriever, _ = make_retriever("clip4clip", training__mode=mode)
        assert retriever.videos(several.rows[:2]).frames.requires_grad == picture
        assert retriever.texts(several.tokens[:2], several.text_keys[:2]).embeds.requires_grad == text


@pytest.mark.parametrize("mode", ["frozen", "text-tuned", "finetune"])
def test_a_checkpoint_restores_everything_that_trains(mode: str, make_retriever: Callable) -> None:
    retriever, _ = make_retriever("gaid", training__mode=mode)
    state = retriever.trained_state()
    trained = {name for name, parameter in retriever.named_parameters() if parameter.requires_grad}
    assert trained <= set(state)
    with torch.no_grad():
        for parameter in retriever.parameters():
            if parameter.requires_grad:
                parameter.add_(1.0)
    assert all(not torch.equal(retriever.state_dict()[name], state[name]) for name in trained)
    retriever.load_trained_state(state)
    assert all(torch.equal(retriever.state_dict()[name], state[name]) for name in trained)


def test_a_silent_clip_has_zero_states(materials: RunInputs) -> None:
    silent = torch.from_numpy(~materials.store.has_audio).nonzero()[:, 0]
    videos = materials.features.videos(silent)
    assert len(silent) > 0
    assert videos.audio is not None
    assert not videos.audio.any()
    assert videos.has_audio is not None
    assert not videos.has_audio.any()

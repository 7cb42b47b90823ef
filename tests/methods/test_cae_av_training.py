"""CAE-AV on the tiny world: its materials reach it, and it trains in front of every host."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from core.encoders.clip import ClipBackbone
from core.evaluation.split_scores import encode, scores_of
from core.progress import Silent
from core.resolving import resolve
from core.retriever import Retriever, SplitData
from core.running.cells import RunInputs, build_method, prepare_inputs
from core.spec import RunSpec
from core.training.training import Trainer
from methods.cae_av import HOSTS
from tests.conftest import WORLD
from tests.core.training.small_training import first_pairs, no_validation

pytestmark = pytest.mark.slow

QUICK = {
    "training.batch_size": 8,
    "training.epochs": 2,
    "training.selection": "last",
    "training.lr_factors": {"gammas": 100.0},
}


@pytest.fixture(scope="module")
def own_materials() -> RunInputs:
    return prepare_inputs(resolve("cae_av", WORLD, {}), Silent(), workers=2)


@pytest.fixture
def plugged(own_materials: RunInputs) -> Callable[..., tuple[Retriever, RunSpec]]:
    def make(**overrides: object) -> tuple[Retriever, RunSpec]:
        spec = resolve("cae_av", WORLD, {**QUICK, **overrides})
        own = replace(own_materials, clip=ClipBackbone.load(spec.backbone))
        method = build_method(spec, own, spec.seeds.initialisation)
        return Retriever(own.clip, method, own.features, own.store, spec.training), spec

    return make


def test_the_tiny_vit_gives_patches_and_nine_clips_in_ten_a_caption(own_materials: RunInputs) -> None:
    videos = own_materials.features.videos(torch.arange(len(own_materials.store)))
    assert videos.patches.shape[1:] == (12, 16, 128)
    said = videos.caption_mask.any(-1)
    assert 0.8 < said[:, 0].double().mean() < 0.97
    assert not said[:, 1].any()


@pytest.mark.parametrize(
    ("host", "mode"),
    [
        *((host, "text-tuned") for host in sorted(HOSTS)),
        ("xpool", "finetune"),
    ],
)
def test_it_trains_in_front_of_every_host(
    host: str, mode: str, plugged: Callable, own_materials: RunInputs, tmp_path: Path
) -> None:
    retriever, spec = plugged(**{"config.host": host, "training.mode": mode})
    test = SplitData.of(own_materials.dataset.splits["test"], own_materials.clip, own_materials.store)
    trainer = Trainer(retriever, spec.training, spec.seeds, tmp_path)
    trainer.fit(first_pairs(own_materials, 16), no_validation, Silent())
    assert retriever.method.enrichment.gamma.abs() > 1e-3
    assert scores_of(retriever, encode(retriever, test, spec), "leak-free", spec).isfinite().all()
    steps = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert {"caption", "consistency", "entropy"} <= set().union(*steps)


def test_a_file_of_captions_may_be_another_or_none(own_materials: RunInputs, tmp_path: Path) -> None:
    ids = own_materials.store.ids
    file = tmp_path / "captions.jsonl"
    file.write_text("".join(f'{{"id": "{id}", "audio": "birds sing"}}\n' for id in ids[:50]))
    other, none = (
        prepare_inputs(resolve("cae_av", WORLD, {"video_captions": source}), Silent(), workers=1)
        for source in (str(file), "none")
    )
    assert other.features.caption_mask.any(-1).sum(0).tolist() == [0, 50]
    assert none.features.captions is None
    prints = {m.features.fingerprint for m in (own_materials, other, none)}
    assert len(prints) == 3


def test_scores_depend_on_video_side_captions_once_the_plug_in_is_open(
    plugged: Callable, own_materials: RunInputs
) -> None:
    retriever, spec = plugged()
    data = SplitData.of(own_materials.dataset.splits["test"], own_materials.clip, own_materials.store)
    with torch.no_grad():
        retriever.method.enrichment.gamma.fill_(0.5)
        retriever.method.enrichment.captions.visual.up_proj.weight.normal_()
    before = scores_of(retriever, encode(retriever, data, spec), "leak-free", spec)
    retriever.features = replace(retriever.features, captions=None, caption_mask=None)
    after = scores_of(retriever, encode(retriever, data, spec), "leak-free", spec)
    changed = (before != after).any(0)
    said = own_materials.features.caption_mask[data.rows].any(-1)[:, 0]
    assert changed[said].all()
    torch.testing.assert_close(after[:, ~said], before[:, ~said], atol=1e-5, rtol=1e-5)

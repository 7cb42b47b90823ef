"""The CLIP towers: from the bench's pixels and captions to the embeddings that open_clip's own road gives."""

import json
import shutil

import open_clip
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file, save_file

from core.datasets.avworld import shipped
from core.datasets.avworld.grammar import vocabulary
from core.datasets.avworld.world import WORLD_VERSION
from core.encoders.clip import ClipBackbone, OpenTowers, preprocess
from core.encoders.towers import open_towers
from core.encoders.weights import weights_fingerprint
from core.errors import BenchError

CAPTIONS = [
    "a red thing",
    "in the forest a red thing with a blue companion spins, then a green thing slides; birds sing",
    "in the sea a pink thing with a cyan companion grows, then a black thing bounces; rain falls",
]


@pytest.fixture(scope="module")
def clip() -> ClipBackbone:
    return ClipBackbone.load("avworld")


def test_shapes_are_those_of_the_recipe(clip):
    assert (clip.width, clip.context, clip.image_size) == (128, 40, 64)
    assert clip.tokenise(CAPTIONS).shape == (3, 40)
    assert clip.tokenise(CAPTIONS).dtype == torch.int64


def test_text_cut_behind_the_longest_caption_gives_the_full_rows_embeddings(clip):
    tokens = clip.tokenise(CAPTIONS)
    with torch.inference_mode():
        full = clip.model.encode_text(tokens)
        torch.testing.assert_close(clip.encode_text(tokens), full, atol=1e-5, rtol=1e-5)
        torch.testing.assert_close(clip.encode_text(tokens[:1]), full[:1], atol=1e-5, rtol=1e-5)


def test_gradients_reach_both_towers(clip):
    pixels = torch.zeros(2, 64, 64, 3, dtype=torch.uint8)
    (clip.encode_text(clip.tokenise(CAPTIONS)).sum() + clip.encode_images(pixels).sum()).backward()
    missing = [name for name, p in clip.model.named_parameters() if p.grad is None]
    clip.model.zero_grad(set_to_none=True)
    assert missing == ["logit_scale"]


def test_images_take_open_clips_own_road(clip):
    pixels = torch.randint(
        0, 256, (2, 64, 90, 3), dtype=torch.uint8, generator=torch.Generator().manual_seed(0)
    )
    size, mean, std = clip.image_size, clip.model.visual.image_mean, clip.model.visual.image_std
    transform = open_clip.image_transform(size, is_train=False, mean=mean, std=std)
    images = torch.stack([transform(Image.fromarray(frame.numpy())) for frame in pixels])
    torch.testing.assert_close(preprocess(pixels, size, torch.tensor(mean), torch.tensor(std)), images)
    with torch.inference_mode():
        torch.testing.assert_close(
            clip.encode_images(pixels), clip.model.encode_image(images), atol=1e-5, rtol=1e-5
        )


def test_an_empty_slot_is_a_zero_normalised_image(clip):
    pixels = torch.randint(0, 256, (2, 64, 64, 3), dtype=torch.uint8)
    with torch.inference_mode():
        found = clip.encode_images(pixels, torch.tensor([True, False]))
        expected = clip.model.encode_image(torch.zeros(1, 3, 64, 64))
    torch.testing.assert_close(found[1:], expected, atol=1e-5, rtol=1e-5)


def test_frames_smaller_than_the_crop_are_refused(clip):
    with pytest.raises(ValueError, match="48 x 64 pixels are smaller"):
        clip.encode_images(torch.zeros(1, 48, 64, 3, dtype=torch.uint8))


def test_image_tokens_are_the_embedding_and_open_clips_own_patches(clip):
    pixels = torch.randint(0, 256, (3, 64, 64, 3), dtype=torch.uint8)
    mask = torch.tensor([True, False, True])
    tower = clip.model.visual
    with torch.inference_mode():
        tokens = clip.encode_image_tokens(pixels, mask)
        assert tokens.shape == (3, 1 + clip.patches, clip.width)
        torch.testing.assert_close(tokens[:, 0], clip.encode_images(pixels, mask), atol=1e-5, rtol=1e-5)
        images = preprocess(
            pixels, 64, torch.tensor(tower.image_mean), torch.tensor(tower.image_std)
        ) * mask.view(-1, 1, 1, 1)
        found = tower.forward_intermediates(images, indices=1, normalize_intermediates=True)
        patches = found["image_intermediates"][-1].flatten(2).transpose(1, 2) @ tower.proj
    torch.testing.assert_close(tokens[:, 1:], patches, atol=1e-5, rtol=1e-5)


def test_a_tower_without_a_class_token_gives_no_patches(clip):
    tower = open_clip.create_model("ViT-B-32", pretrained=None, load_weights=False).visual
    tower.pool_type = "avg"
    towers = OpenTowers(type("Towers", (), {"visual": tower})(), clip.tokenizer)
    other = ClipBackbone("averaging", towers)
    with pytest.raises(BenchError, match="backbone 'averaging' has no class token"):
        other.encode_image_tokens(torch.zeros(1, 224, 224, 3, dtype=torch.uint8))


def test_the_state_of_the_end_mark_is_the_captions_embedding(clip):
    tokens = clip.tokenise(CAPTIONS)
    with torch.inference_mode():
        states = clip.encode_text_tokens(tokens)
        ends = states[torch.arange(3), tokens.argmax(-1)]
        torch.testing.assert_close(ends, clip.model.encode_text(tokens), atol=1e-5, rtol=1e-5)
        longer = clip.encode_text_tokens(tokens[:, :5])
        torch.testing.assert_close(states[:, :5], longer, atol=1e-5, rtol=1e-5)  # the mask is causal


def test_every_word_of_the_world_is_a_token_of_its_own(clip):
    tokens = clip.tokenise(vocabulary())
    assert ((tokens != 0).sum(1) == 3).all()  # start, word, end
    assert tokens[:, 1].unique().numel() == len(vocabulary())
    assert (tokens.argmax(1) == 2).all()


def test_a_long_caption_is_cut_and_keeps_its_end_mark(clip):
    end = clip.tokenise(["a"])[0, 2]
    tokens = clip.tokenise(["red " * 100])[0]
    assert tokens[-1] == end
    assert (tokens[1:-1] == clip.tokenise(["red"])[0, 1]).all()


def test_unknown_words_and_capitals_do_not_fail(clip):
    assert clip.tokenise(["A RED thing"]).equal(clip.tokenise(["a red thing"]))
    known = {int(token) for token in clip.tokenise(vocabulary())[:, 1]}
    assert int(clip.tokenise(["zeppelin"])[0, 1]) not in known


def test_text_weights_are_the_blocks_in_order(clip):
    found = clip.text_weights()
    assert len(found.blocks) == 2
    assert found.positions.shape == (40, 128)
    assert found.heads == 4
    block = found.blocks[1]
    torch.testing.assert_close(block["mlp.c_fc.weight"], clip.model.transformer.resblocks[1].mlp.c_fc.weight)
    assert {
        "ln_1.weight",
        "ln_2.bias",
        "attn.in_proj_weight",
        "attn.out_proj.bias",
        "mlp.c_proj.weight",
    } <= set(block)


def test_the_fingerprint_changes_with_one_weight(clip):
    state = clip.model.state_dict()
    changed = {**state, "text_projection": state["text_projection"] + 1e-3}
    assert clip.fingerprint == weights_fingerprint(state)
    assert clip.fingerprint != weights_fingerprint(changed)


def test_what_is_known_of_weights_is_read_without_opening_them_until_their_files_change(
    clip, tmp_path, monkeypatch
):
    monkeypatch.setenv("BENCH_CACHE", str(tmp_path / "cache"))
    folder = shutil.copytree(shipped.shipped_folder("clip"), tmp_path / "mine")
    opened = []

    def noting(place):
        opened.append(place)
        return open_towers(place)

    monkeypatch.setattr("core.encoders.clip.open_towers", noting)
    for _ in range(2):
        again = ClipBackbone.load(str(folder))
        assert (again.fingerprint, again.width, again.image_size) == (clip.fingerprint, clip.width, 64)
    assert opened == [folder]
    (file,) = folder.glob("*.safetensors")
    state = load_file(file)
    save_file({**state, "logit_scale": state["logit_scale"] + 1}, file)
    assert ClipBackbone.load(str(folder)).fingerprint != clip.fingerprint
    assert opened == [folder, folder]


def test_the_fingerprint_of_towers_that_were_changed_in_memory_is_theirs():
    changed = ClipBackbone.load("avworld")
    with torch.no_grad():
        changed.model.logit_scale += 1
    assert changed.fingerprint == weights_fingerprint(changed.model.state_dict())
    assert changed.fingerprint != ClipBackbone.load("avworld").fingerprint


def test_a_model_folder_loads_like_a_shipped_one(clip, tmp_path):
    shutil.copytree(shipped.shipped_folder("clip"), tmp_path / "mine")
    assert ClipBackbone.load(str(tmp_path / "mine")).fingerprint == clip.fingerprint


def test_weights_of_another_world_name_the_command_that_renews_them(tmp_path, monkeypatch):
    shutil.copytree(shipped.shipped_folder("clip"), tmp_path / "clip")
    (tmp_path / "clip" / "world.json").write_text(json.dumps({"version": WORLD_VERSION + 1}))
    monkeypatch.setattr(shipped, "SHIPPED", tmp_path)
    with pytest.raises(
        BenchError,
        match=rf"version {WORLD_VERSION + 1} of avworld, not {WORLD_VERSION}; renew it with `python -m",
    ):
        ClipBackbone.load("avworld")


def test_shipped_weights_are_small():
    sizes = [file.stat().st_size for file in shipped.SHIPPED.rglob("*") if file.is_file()]
    assert 0 < sum(sizes) <= 12e6

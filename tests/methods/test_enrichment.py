"""The enrichment in front of any composition: it starts as nothing, and each clip stands alone."""

from dataclasses import replace
from itertools import product

import pytest
import torch
from torch import Tensor
from torch.testing import assert_close

from core.batch import Videos
from core.errors import BenchError
from core.method import Dimensions
from methods.cae_av import HOSTS, CaeAv
from methods.composed import ComposedMethod
from methods.parts.enrichment.caste import channels_shifted
from methods.parts.enrichment.tokens import hard_choice, noisy_probabilities, soft_choice
from tests.methods.small_worlds import (
    AUDIO_WIDTH,
    FRAMES,
    SMALL,
    TIGHT,
    WIDTH,
    random_method,
    random_noise,
    random_texts,
    random_videos,
    released_scores,
)

KINDS = ("caste", "case", "caste-case")


def untrained(method: type[ComposedMethod], **config: object) -> ComposedMethod:
    """As a run builds it from its seed, in evaluation mode."""
    torch.manual_seed(0)
    settings = method.Config(**{**SMALL, **config})
    return method(settings, Dimensions(WIDTH, FRAMES, AUDIO_WIDTH)).double().eval()


def enriched(videos: Videos, **config: object) -> Tensor:
    """Frames behind an enrichment whose every weight is random."""
    return random_method(**{"enrichment": "caste-case", **config}).enrichment.frames(videos)


@pytest.mark.parametrize(("host", "kind"), list(product(sorted(HOSTS), KINDS)))
def test_an_untrained_plug_in_is_its_host_bit_for_bit(host: str, kind: str) -> None:
    texts, videos, noise = random_texts(4), random_videos(4), random_noise(4, 4)
    off = {"caption_weight": 0.0, "consistency_weight": 0.0, "entropy_weight": 0.0}
    plugged, alone = untrained(CaeAv, host=host, enrichment=kind, **off), untrained(HOSTS[host])
    weights = alone.state_dict()
    assert all(torch.equal(plugged.state_dict()[name], weights[name]) for name in weights)
    indices = plugged.index(videos), alone.index(videos)
    assert torch.equal(indices[0].videos.frames, indices[1].videos.frames)
    assert torch.equal(plugged.score(texts, indices[0], noise), alone.score(texts, indices[1], noise))
    pairing = torch.arange(4)
    released = [released_scores(m, texts, videos, pairing, noise) for m in (plugged, alone)]
    assert torch.equal(*released)
    gates = [method.gate.weights(texts, videos) for method in (plugged, alone) if method.gate]
    assert not gates or torch.equal(*gates)
    for method in (plugged, alone):
        method.loss(texts, videos, torch.Generator().manual_seed(0)).total.backward()
    gradients = {name: parameter.grad for name, parameter in plugged.named_parameters()}
    for name, parameter in alone.named_parameters():
        if parameter.requires_grad:
            assert torch.equal(gradients[name], parameter.grad), name


@pytest.mark.parametrize(("host", "kind"), list(product(sorted(HOSTS), KINDS)))
def test_a_plug_in_is_its_host_on_enriched_frames(host: str, kind: str) -> None:
    texts, videos, noise = random_texts(3), random_videos(4), random_noise(3, 4)
    plugged = random_method(method=CaeAv, host=host, enrichment=kind)
    alone = random_method(method=HOSTS[host])
    alone.load_state_dict(
        {name: t for name, t in plugged.state_dict().items() if not name.startswith("enrichment.")}
    )
    frames = plugged.enrichment.frames(videos)
    assert not torch.equal(frames, videos.frames)
    expected = alone.score(texts, alone.index(replace(videos, frames=frames)), noise)
    assert_close(plugged.score(texts, plugged.index(videos), noise), expected, **TIGHT)


@pytest.mark.parametrize("kind", KINDS)
def test_a_clip_is_enriched_as_if_it_were_alone(kind: str) -> None:
    videos = random_videos(7)
    whole = enriched(videos, enrichment=kind)
    for row in range(7):
        assert_close(enriched(videos[row : row + 1], enrichment=kind)[0], whole[row], **TIGHT)


@pytest.mark.parametrize("kind", KINDS)
def test_padding_frames_stay_as_they_came_and_touch_nothing(kind: str) -> None:
    videos = random_videos(4)
    padding = ~videos.frame_mask
    other = replace(
        videos,
        frames=videos.frames.masked_fill(padding[..., None], 7.0),
        patches=videos.patches.masked_fill(padding[..., None, None], torch.nan),
    )
    frames, expected = enriched(other, enrichment=kind), enriched(videos, enrichment=kind)
    assert (frames[padding] == 7).all()
    assert_close(frames[~padding], expected[~padding], **TIGHT)


@pytest.mark.parametrize("kind", KINDS)
def test_a_padded_clip_is_the_shorter_clip(kind: str) -> None:
    method, videos = random_method(enrichment=kind), random_videos(2)[1:]
    real = int(videos.frame_mask.sum())
    assert real < FRAMES
    short = replace(
        videos,
        frames=videos.frames[:, :real],
        frame_mask=videos.frame_mask[:, :real],
        patches=videos.patches[:, :real],
        has_audio=torch.tensor([True]),
    )
    longer = replace(videos, has_audio=torch.tensor([True]))
    expected = method.enrichment.frames(short)
    assert_close(method.enrichment.frames(longer)[:, :real], expected, **TIGHT)


@pytest.mark.parametrize("kind", KINDS)
def test_a_silent_clip_hears_nothing_and_a_loud_one_only_what_lies_inside_it(kind: str) -> None:
    videos = random_videos(6)
    outside = torch.arange(videos.audio.shape[1]) >= videos.audio_valid[:, None]
    outside = outside | ~videos.has_audio[:, None]
    other = replace(videos, audio=videos.audio.masked_fill(outside[..., None], 1e3))
    assert_close(enriched(other, enrichment=kind), enriched(videos, enrichment=kind), **TIGHT)
    louder = enriched(replace(videos, audio=videos.audio + 1), enrichment=kind)
    assert not torch.equal(louder[0], enriched(videos, enrichment=kind)[0])


def test_captions_count_up_to_their_end_and_where_there_are_any() -> None:
    videos = random_videos(4)
    hidden = replace(videos, captions=videos.captions.masked_fill(~videos.caption_mask[..., None], 1e3))
    assert_close(enriched(hidden), enriched(videos), **TIGHT)
    other = enriched(replace(videos, captions=videos.captions + 1))
    changed = (other != enriched(videos)).flatten(1).any(1)
    assert changed.tolist() == [True, True, False, True]


def test_no_captions_at_all_is_a_mask_that_hides_them_all() -> None:
    videos = random_videos(4)
    hidden = replace(videos, caption_mask=torch.zeros_like(videos.caption_mask))
    without = replace(videos, captions=None, caption_mask=None)
    assert_close(enriched(without), enriched(hidden), **TIGHT)


def test_caste_reads_no_caption() -> None:
    videos = random_videos(4)
    other = replace(videos, captions=videos.captions + 1)
    assert torch.equal(enriched(other, enrichment="caste"), enriched(videos, enrichment="caste"))
    assert not random_method(enrichment="caste").needs.video_captions
    assert random_method(enrichment="case").needs.video_captions


@pytest.mark.parametrize("branches", ["spatial", "temporal"])
def test_one_branch_of_caste_is_the_gate_held_open_for_it(branches: str) -> None:
    both, one = (random_method(enrichment="caste", caste_branches=kind) for kind in ("both", branches))
    caste = both.enrichment.caste_visual
    names = one.enrichment.state_dict().keys()
    one.enrichment.load_state_dict({n: t for n, t in both.enrichment.state_dict().items() if n in names})
    assert not any(name.startswith("caste_visual.gate") for name in names)
    with torch.no_grad():
        final = caste.gate.mlp[-1]
        final.weight.zero_()
        final.bias.copy_(torch.tensor([1e4, -1e4] if branches == "spatial" else [-1e4, 1e4]))
    videos = random_videos(4)
    assert_close(one.enrichment.frames(videos), both.enrichment.frames(videos), **TIGHT)


def test_the_ratio_says_how_many_tokens_are_chosen() -> None:
    energy = torch.rand(2, 3, 10, dtype=torch.float64)
    for ratio, count in ((0.05, 1), (0.1, 1), (0.3, 3), (0.5, 5), (1.0, 10)):
        choice = hard_choice(energy, ratio)
        assert (choice.sum(-1) == count).all()
        chosen, left = energy[choice == 1].view(2, 3, -1), energy[choice == 0].view(2, 3, -1)
        assert count == 10 or (chosen.min(-1).values > left.max(-1).values).all()
        probabilities = noisy_probabilities(energy, torch.tensor(1.0), torch.ones_like(energy))
        assert_close(probabilities, energy.softmax(-1), **TIGHT)  # -log 1 = 0: no noise
        soft = soft_choice(probabilities, ratio)
        assert torch.equal(soft > 0, choice > 0)
        assert_close(soft.sum(-1), torch.ones(2, 3, dtype=torch.float64), **TIGHT)


def test_the_temporal_shift_moves_two_eighths_of_the_channels() -> None:
    tokens = torch.randn(2, 4, 3, 16)
    moved = channels_shifted(tokens)
    for v, f, t, c in product(range(2), range(4), range(3), range(16)):
        source = f - 1 if c < 2 else f + 1 if c < 4 else f
        expected = tokens[v, source, t, c] if 0 <= source < 4 else torch.tensor(0.0)
        assert moved[v, f, t, c] == expected


def test_a_plug_in_without_its_materials_is_refused() -> None:
    videos = random_videos(2)
    with pytest.raises(BenchError, match="needs patch tokens"):
        enriched(replace(videos, patches=None))
    with pytest.raises(BenchError, match="needs sound"):
        enriched(replace(videos, audio=None))
    with pytest.raises(BenchError, match="enrichment=caste needs sound, this run has none"):
        CaeAv(CaeAv.Config(enrichment="caste"), Dimensions(WIDTH, FRAMES, None))
    with pytest.raises(BenchError, match="enrichment_heads=4 does not divide the audio encoder's width 6"):
        CaeAv(CaeAv.Config(enrichment_heads=4), Dimensions(WIDTH, FRAMES, AUDIO_WIDTH))

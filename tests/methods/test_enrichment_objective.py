"""The three reconstructed objectives: closed forms, masks, gradients, and one switch each."""

from dataclasses import replace

import pytest
import torch
from torch.testing import assert_close

from methods.parts.enrichment.objective import caption_alignment, choice_entropy, inconsistency
from tests.methods.small_worlds import TIGHT, random_method, random_texts, random_videos

TERMS = ("caption", "consistency", "entropy")


def test_caption_alignment_is_infonce_over_the_clips_that_count() -> None:
    vectors, captions = torch.randn(2, 5, 3, dtype=torch.float64)
    rows, temperature = torch.tensor([True, False, True, True, False]), torch.tensor(0.2).double()
    logits = torch.zeros(3, 3, dtype=torch.float64)
    for i, v in enumerate((0, 2, 3)):
        for j, c in enumerate((0, 2, 3)):
            logits[i, j] = vectors[v] @ captions[c] / vectors[v].norm() / captions[c].norm() / 0.2
    target = torch.arange(3)
    cross = torch.nn.functional.cross_entropy
    expected = (cross(logits, target) + cross(logits.T, target)) / 2
    found = caption_alignment(vectors, captions, temperature, rows)
    assert_close(found, expected, rtol=1e-6, atol=1e-8)


def test_fewer_than_two_captions_have_no_negatives() -> None:
    vectors, rows = torch.randn(3, 4), torch.tensor([False, True, False])
    assert caption_alignment(vectors, vectors, torch.tensor(0.2), rows) == 0


def test_inconsistency_is_one_minus_the_cosine_of_audible_clips() -> None:
    visual = torch.tensor([[1.0, 0.0], [1.0, 0.0], [3.0, 4.0]])
    audio = torch.tensor([[2.0, 0.0], [0.0, 5.0], [0.0, 0.0]])
    assert_close(inconsistency(visual, audio, torch.tensor([True, True, False])), torch.tensor(0.5))
    assert inconsistency(visual, audio, torch.zeros(3, dtype=torch.bool)) == 0


def test_entropy_is_one_for_an_even_choice_and_zero_for_a_single_token() -> None:
    even, single = torch.full((2, 3, 8), 1 / 8), torch.eye(8)[:6].view(2, 3, 8).clone().requires_grad_()
    everywhere = torch.ones(2, 3, dtype=torch.bool)
    assert_close(choice_entropy(even, everywhere), torch.tensor(1.0))
    entropy = choice_entropy(single, everywhere)
    assert_close(entropy, torch.tensor(0.0))
    entropy.backward()
    assert single.grad.isfinite().all()
    first = torch.zeros(2, 3, dtype=torch.bool)
    first[:, 0] = True
    mixed = torch.cat([even[:, :1], torch.eye(8)[:4].view(2, 2, 8)], dim=1)
    assert_close(choice_entropy(mixed, first), torch.tensor(1.0))


def losses_of(**config: object):  # type: ignore[no-untyped-def]
    """Total and terms of one batch in training mode; dropout and noise are the same for every call."""
    method = random_method(enrichment="caste-case", **config).train()
    torch.manual_seed(0)
    return method.loss(random_texts(6), random_videos(6), torch.Generator())


@pytest.mark.parametrize("name", TERMS)
def test_the_total_holds_each_term_by_its_weight(name: str) -> None:
    off = {f"{term}_weight": 0.0 for term in TERMS}
    without, with_term = losses_of(**off), losses_of(**{**off, f"{name}_weight": 0.7})
    assert set(with_term.terms) == {"main", *TERMS}
    assert with_term.terms[name].abs() > 1e-3
    assert_close(with_term.total - without.total, 0.7 * with_term.terms[name], **TIGHT)


def test_without_case_there_are_no_objectives_and_without_training_no_entropy() -> None:
    texts, videos = random_texts(4), random_videos(4)
    caste = random_method(enrichment="caste").train()
    assert set(caste.loss(texts, videos, torch.Generator()).terms) == {"main"}
    case = random_method(enrichment="case")
    assert set(case.loss(texts, videos, torch.Generator()).terms) == {"main", "caption", "consistency"}


def test_objectives_leave_out_silence_padding_and_missing_captions() -> None:
    method, texts, videos = random_method(enrichment="case"), random_texts(4), random_videos(4)
    nothing = replace(
        videos,
        has_audio=torch.zeros(4, dtype=torch.bool),
        caption_mask=torch.zeros_like(videos.caption_mask),
    )
    terms = method.loss(texts, nothing, torch.Generator()).terms
    assert terms["caption"] == terms["consistency"] == 0


def test_the_first_step_moves_the_gate_between_host_and_plug_in() -> None:
    method, texts, videos = random_method(enrichment="caste-case").train(), random_texts(4), random_videos(4)
    with torch.no_grad():
        method.enrichment.gamma.zero_()
    method.loss(texts, videos, torch.Generator()).total.backward()
    assert method.enrichment.gamma.grad != 0
    for name, parameter in method.enrichment.named_parameters():
        assert parameter.grad is None or parameter.grad.isfinite().all(), name

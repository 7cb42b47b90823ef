"""Parity of CAE-AV's modules: CASTE with and without shift, CASE with either choice, caption projection."""

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from core.authors import load_renamed
from methods.parity.golden import Golden
from methods.parity.narrowing import given
from methods.parity.setup import compare_gradients_of
from methods.parts.enrichment.caption import CaptionAdapter
from methods.parts.enrichment.case import CaptionTokens, Case, Enriched, Stream
from methods.parts.enrichment.caste import Caste
from methods.parts.enrichment.tokens import energies, hard_choice
from methods.parts.post_norm import PostNormAttention

CASTE_NAMES: Mapping[str, str] = {
    "": "",
    "gate.v_proj.": "gate.own.",
    "gate.a_proj.": "gate.other.",
}
"""Authors' key prefix -> ours."""
CASE_NAMES: Mapping[str, str] = {
    "sa_v.": "visual.self_attention.",
    "sa_vcap.": "visual.caption_self_attention.",
    "ca_v_qcap.": "visual.caption_attention.",
    "linear_v_from_a.": "visual.from_other.",
    "ca_vqa.": "visual.other_attention.",
    "ffn_v.": "visual.feed_forward.",
    "ffn_vcap.": "visual.caption_feed_forward.",
    "tmp_v.": "visual.temporal.",
    "norm_v.": "visual.norm.",
    "proj_v.": "visual.head.",
    "proj_vcap.": "visual.caption_head.",
    "sa_a.": "audio.self_attention.",
    "sa_acap.": "audio.caption_self_attention.",
    "ca_a_qcap.": "audio.caption_attention.",
    "linear_a_from_v.": "audio.from_other.",
    "ca_aqv.": "audio.other_attention.",
    "ffn_a.": "audio.feed_forward.",
    "ffn_acap.": "audio.caption_feed_forward.",
    "tmp_a.": "audio.temporal.",
    "norm_a.": "audio.norm.",
    "proj_a.": "audio.head.",
    "proj_acap.": "audio.caption_head.",
    "topk.tau": "choice_temperature",
    "tau": "temperature",
}
"""Authors' key prefix -> ours."""
MAPPER_NAMES: Mapping[str, str] = {"mhatt.": "attention.", "norm1.": "norm."}
"""Authors' key prefix -> ours."""


def load_recorded(golden: Golden, prefix: str, module: nn.Module, names: Mapping[str, str]) -> None:
    """Puts the file's weights under `prefix` into a module, in evaluation mode."""
    load_renamed(module, "cae_av", golden.inputs(prefix), names, frozenset())
    module.eval()


def check_caste_case(golden: Golden) -> None:
    """Every module of the file; `(B T, L, C)` in the file is `(B, T, L, C)` here."""
    # with and without the temporal shift in front of the convolution
    for name, shift in (("caste_dwconv", False), ("caste_tsm_dw", True)):
        check_caste(golden, name, shift)
    visual, audio = golden.input("in/v"), golden.input("in/a")
    ratio, heads = golden.number("topk_ratio"), golden.integer("heads")
    case = Case(visual.shape[-1], audio.shape[-1], heads, ratio, golden.integer("proj"))
    load_recorded(golden, "case/w/", case, CASE_NAMES)
    check_case_inference(golden, case)
    check_case_training(golden, case)
    check_projection(golden)


def by_frames(golden: Golden, tokens: Tensor) -> Tensor:
    """`(B T, ...)` -> `(B, T, ...)`."""
    clips: Tensor = tokens.unflatten(0, (-1, golden.integer("T")))
    return clips


def check_caste(golden: Golden, name: str, shift: bool) -> None:
    """Gate, both branches, the chosen tokens, the residual and its gradients."""
    visual, audio = golden.input("in/v").requires_grad_(), golden.input("in/a").requires_grad_()
    ratio = golden.number("topk_ratio")
    caste = Caste(visual.shape[-1], audio.shape[-1], ratio, shift=shift)
    load_recorded(golden, f"{name}/w/", caste, CASTE_NAMES)
    gate, spatial, temporal = given(caste.gate), given(caste.spatial), given(caste.temporal)
    v, a = by_frames(golden, visual), by_frames(golden, audio)
    residual = caste(v, a)
    steps = {
        "gate": gate(v, a),
        "spatial": spatial(v),
        "temporal": temporal(v),
        "topk_mask": hard_choice(energies(v), ratio)[..., None],
        "residual": residual,
        "out": v + residual,
    }
    for step, tensor in steps.items():
        golden.compare(f"{name}/{step}", tensor.flatten(0, 1))
    # an objective that every weight has a gradient of
    residual.square().sum().backward()
    required = ("gamma", "gate.mlp.0.weight", "temporal.dw.weight")
    inputs = {"in.v": visual, "in.a": audio}
    compare_gradients_of(golden, f"{name}/grad/", caste, CASTE_NAMES, inputs, required)


def repeated_captions(golden: Golden) -> tuple[Tensor, Tensor]:
    """The captions of both modalities, one copy per frame, `(B T, Lc, C)`."""
    frames = golden.integer("T")
    visual, audio = (golden.input(name).repeat_interleave(frames, 0) for name in ("in/v_cap", "in/a_cap"))
    return visual, audio


def through_case(
    golden: Golden,
    case: Case,
    tokens: tuple[Tensor, Tensor],
    captions: tuple[Tensor, Tensor],
    noise: tuple[Tensor, Tensor] | None,
) -> tuple[Enriched, Enriched]:
    """Picture and sound of the file through CASE; all captions are whole."""
    streams = []
    for index in range(2):
        caption = by_frames(golden, captions[index])
        # the release has no padding in captions or frames
        mask = torch.ones(caption.shape[:-1], dtype=torch.bool)
        drawn = None if noise is None else by_frames(golden, noise[index])
        streams.append(Stream(by_frames(golden, tokens[index]), CaptionTokens(caption, mask), drawn))
    mask = torch.ones(streams[0].tokens.shape[:2], dtype=torch.bool)
    visual, audio = case(*streams, mask)
    return visual, audio


def compare_vectors(golden: Golden, prefix: str, visual: Enriched, audio: Enriched) -> None:
    """Compares what the objectives read."""
    for letter, enriched in (("v", visual), ("a", audio)):
        golden.compare(f"{prefix}P{letter}", enriched.vector.flatten(0, 1))
        golden.compare(f"{prefix}P{letter}cap", given(enriched.caption_vector).flatten(0, 1))


def check_case_inference(golden: Golden, case: Case) -> None:
    """Tokens, captions and heads with the hard choice."""
    tokens, captions = (golden.input("in/v"), golden.input("in/a")), repeated_captions(golden)
    with torch.no_grad():
        visual, audio = through_case(golden, case, tokens, captions, None)
    for letter, enriched in (("v", visual), ("a", audio)):
        golden.compare(f"case/eval/{letter}", enriched.tokens.flatten(0, 1))
        golden.compare(f"case/eval/{letter}_cap", given(enriched.caption).tokens.flatten(0, 1))
    compare_vectors(golden, "case/eval/", visual, audio)


def check_case_training(golden: Golden, case: Case) -> None:
    """Tokens, choice, heads, the recorded objective and its gradients, with the soft choice."""
    v, a = golden.input("in/v").requires_grad_(), golden.input("in/a").requires_grad_()
    v_cap, a_cap = repeated_captions(golden)
    noise = golden.input("case/train/exp_noise_v"), golden.input("case/train/exp_noise_a")
    visual, audio = through_case(golden, case, (v, a), (v_cap.requires_grad_(), a_cap), noise)
    chosen = given(visual.probabilities)
    for letter, enriched, probabilities in (("v", visual, chosen), ("a", audio, given(audio.probabilities))):
        golden.compare(f"case/train/{letter}", enriched.tokens.flatten(0, 1))
        golden.compare(f"case/train/prob_{letter}", probabilities.flatten(0, 1))
    compare_vectors(golden, "case/train/", visual, audio)
    objective = (
        # the recorded objective reaches every output, and so every weight
        visual.tokens.square().sum()
        + audio.tokens.square().sum() / 2
        + visual.vector.sum()
        + given(visual.caption_vector).square().sum()
        + torch.xlogy(chosen, chosen).sum()
    )
    golden.compare("case/train/objective", objective)
    objective.backward()
    inputs, required = {"in.v": v, "in.v_cap": v_cap}, ("topk.tau", "tmp_v.dw.weight", "norm_v.weight")
    compare_gradients_of(golden, "case/train/grad/", case, CASE_NAMES, inputs, required)


def check_projection(golden: Golden) -> None:
    """The mapper, and an adapter on what it gives."""
    states = golden.input("mapper/in")
    mapper = PostNormAttention(states.shape[-1], golden.integer("heads"))
    load_recorded(golden, "mapper/w/", mapper, MAPPER_NAMES)
    # sizes are those of the recorded weights
    out_width, bottleneck = golden.input("adapter/w/up_proj.weight").shape
    adapter = CaptionAdapter(states.shape[-1], out_width, bottleneck)
    load_recorded(golden, "adapter/w/", adapter, {"": ""})
    with torch.no_grad():
        mapped = mapper(states, states)
        golden.compare("mapper/out", mapped)
        golden.compare("adapter/out", adapter(mapped))

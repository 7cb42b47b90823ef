"""Parity of the measures of simplices: GRAM's volume, TRIANGLE's area, PMRL's objective."""

from collections.abc import Callable, Mapping

import torch
from torch import Tensor, nn
from torch.nn import functional

from core.authors import load_renamed
from core.batch import first_captions
from core.evaluation.ranking import text_to_video, video_to_text
from methods.parity.golden import Golden, float_tensor
from methods.parity.narrowing import given
from methods.parity.setup import compare_gradients_of, metric_values
from methods.parts.interaction.volume import exact_volumes, spans, triangle_areas, volumes
from methods.parts.modality_heads import ModalityHeads, pooled_modality
from methods.parts.objective.principal import leading_loss, principal, separation_loss
from methods.parts.objective.smoothed import smoothed_infonce

MODALITY_LETTERS = {"t": "text", "s": "subtitle", "v": "vision", "a": "audio", "d": "depth"}
"""Modality -> the encoder whose states it is made of."""
DEGENERATE = 1e-3
"""Tolerance of volumes near 0: a determinant that cancels, under a square root."""
RAW = 2e-5
"""Tolerance of volumes of vectors that are not unit."""
LEADING = 2e-5
"""Tolerance of PMRL's gradients and vectors: nearly equal singular values."""

SimplexMeasure = Callable[[Tensor, Tensor], Tensor]
"""Texts `(N, D)` and vectors `(V, k, D)` -> `(N, V)`."""


class ContrastiveHeads(nn.Module):
    """The linear heads, the temperature, and the matching head."""

    def __init__(self, golden: Golden) -> None:
        super().__init__()
        weights = golden.inputs("w/")
        keys = {m: f"contra_head_{m}.linear.weight" for m in MODALITY_LETTERS}
        sizes = {m: weights[key] for m, key in keys.items() if key in weights}
        self.heads = ModalityHeads({m: w.shape[1] for m, w in sizes.items()}, len(sizes["t"]))
        self.temperature = nn.Parameter(torch.ones(()))
        self.names = {f"contra_head_{m}.linear.": f"heads.maps.{m}." for m in sizes}
        self.names["contra_temp"] = "temperature"
        own = {key: w for key, w in weights.items() if not key.startswith("itm_head.")}
        load_renamed(self, golden.kind, own, self.names, frozenset())
        self.matching = golden.inputs("w/itm_head.")

    def features(self, golden: Golden, states: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Unit vectors `(B, D)` of every modality, compared with the recording."""
        found = {}
        for modality, own in states.items():
            found[modality] = self.heads(modality, pooled_modality(modality, own))
            golden.compare(f"out/feat_{modality}", found[modality])
        return found


def states_of(golden: Golden) -> dict[str, Tensor]:
    """The recorded encoder states of every modality of the file, with gradients."""
    names = {m: f"in/{encoder}_states" for m, encoder in MODALITY_LETTERS.items()}
    return {m: golden.input(name).requires_grad_() for m, name in names.items() if name in golden.names()}


def detached_loss(
    measure: SimplexMeasure, texts: Tensor, vectors: Tensor, temperature: Tensor, smoothing: float
) -> Tensor:
    """The loss with detached candidates: rows see detached videos, columns detached texts."""
    # similarity is minus the measure
    by_texts = -measure(texts, vectors.detach()) / temperature
    by_videos = -measure(texts.detach(), vectors) / temperature
    return smoothed_infonce(by_texts, by_videos, smoothing)


def check_contrastive(golden: Golden, name: str, measure: SimplexMeasure) -> None:
    """Features, the measure, loss and gradients, of every set of modalities that has a recorded loss."""
    heads, states = ContrastiveHeads(golden), states_of(golden)
    for modalities in golden.endings("out/loss_"):
        # anew for every set: a backward pass has used up the graph of the last one
        features = heads.features(golden, states)
        vectors = torch.stack([features[m] for m in modalities], dim=1)
        golden.compare(f"out/{name}_t{modalities}", measure(features["t"], vectors))
        loss = detached_loss(
            measure, features["t"], vectors, heads.temperature, golden.number("label_smoothing")
        )
        golden.compare(f"out/loss_{modalities}", loss)
        for tensor in (*heads.parameters(), *states.values()):
            tensor.grad = None
        loss.backward()
        inputs = {f"in.{MODALITY_LETTERS[m]}_states": states[m] for m in ("t", *modalities)}
        compare_gradients_of(
            golden, f"grad_{modalities}/", heads, heads.names, inputs, ("contra_head_t.", "contra_temp")
        )
    with torch.no_grad():
        check_matching(golden, heads, name, measure, states)


def check_matching(
    golden: Golden, heads: ContrastiveHeads, name: str, measure: SimplexMeasure, states: Mapping[str, Tensor]
) -> None:
    """The matching head's logits and loss, and the weights that hard negatives are drawn with."""
    w = heads.matching
    # W2 LN(gelu(W1 x + b1)) + b2
    hidden = functional.gelu(golden.input("itm/cls") @ w["linear1.weight"].T + w["linear1.bias"])
    normed = functional.layer_norm(
        hidden, hidden.shape[-1:], w["layernorm.weight"], w["layernorm.bias"], eps=1e-12
    )
    logits = normed @ w["linear2.weight"].T + w["linear2.bias"]
    golden.compare("itm/logits", logits)
    # one matched pair, one wrong video and one wrong text each
    positives = len(logits) // 3
    target = (torch.arange(len(logits)) < positives).long()
    golden.compare("itm/loss", functional.cross_entropy(logits, target))
    text, *vectors = (heads.heads(m, pooled_modality(m, states[m])) for m in "tva")
    scores = -measure(text, torch.stack(vectors, dim=1)) / heads.temperature
    for direction, rows in (("t2v", scores), ("v2t", scores.T)):
        # softmax + 1e-4, and never the own pair
        golden.compare(f"itm/sampling_weights_{direction}", (rows.softmax(1) + 1e-4).fill_diagonal_(0))
    for drawn in ("video_of_text", "text_of_video"):
        golden.skip(f"itm/negative_{drawn}", "drawn at random")


def compare_recalls(golden: Golden, scores: Tensor) -> None:
    """R@1 in percent of both directions, to one decimal: the release can rank one caption per video only."""
    first = first_captions(golden.input("eval/text_video_index"))
    scores, pairing = scores[first], golden.input("eval/text_video_index")[first]
    for direction, rank in (("t2v", text_to_video), ("v2t", video_to_text)):
        counts = rank(scores, pairing, tolerance=0.0).counts
        recall = metric_values(1 + counts.above)["R1"]
        golden.compare(f"eval/{direction}_r1", float_tensor(round(recall, 1)))


def check_gram(golden: Golden) -> None:
    """Volumes of two to five vectors, by determinants and by the basis of each video's span."""
    check_contrastive(golden, "volume", volumes)
    with torch.no_grad():
        texts = golden.input("eval/in_text")
        names = {"v": "video", "a": "audio", "s": "subtitle"}
        parts = {m: golden.input(f"eval/in_{key}") for m, key in names.items()}
        for modalities in golden.endings("eval/volume_t"):
            vectors = torch.stack([parts[m] for m in modalities], dim=1)
            golden.compare(f"eval/volume_t{modalities}", volumes(texts, vectors))
            # sqrt(det G) by the determinant and by sqrt(det A) times the height
            golden.compare(f"eval/volume_t{modalities}", exact_volumes(texts, spans(vectors)))
        compare_recalls(golden, -volumes(texts, torch.stack([parts["v"], parts["a"]], dim=1)))
        for case, key, allowed in (("edge", "volume", DEGENERATE), ("raw", "volume_tva", RAW)):
            # collinear vectors, and vectors of any length
            text, vectors = case_of(golden, case)
            golden.compare(f"{case}/{key}", volumes(text, vectors), atol=allowed)
            golden.compare(f"{case}/{key}", exact_volumes(text, spans(vectors)), atol=allowed)


def case_of(golden: Golden, case: str) -> tuple[Tensor, Tensor]:
    """Texts `(N, D)` and picture and sound `(V, 2, D)` of a recorded case."""
    text, video, audio = (golden.input(f"{case}/in_{key}") for key in ("text", "video", "audio"))
    return text, torch.stack([video, audio], dim=1)


def pair_areas(texts: Tensor, vectors: Tensor) -> Tensor:
    """`triangle_areas` of vectors `(V, 2, D)`, picture and sound."""
    return triangle_areas(texts, vectors[:, 0], vectors[:, 1])


def check_triangle(golden: Golden) -> None:
    """Areas of text, picture and sound; gradients at degenerate triangles."""
    check_contrastive(golden, "area", pair_areas)
    with torch.no_grad():
        texts, vectors = case_of(golden, "eval")
        golden.compare("eval/area_tva", pair_areas(texts, vectors))
        compare_recalls(golden, -pair_areas(texts, vectors))
        golden.compare("raw/area_tva", pair_areas(*case_of(golden, "raw")))
    text, video, audio = (
        golden.input(f"edge/in_{key}").requires_grad_() for key in ("text", "video", "audio")
    )
    areas = triangle_areas(text, video, audio)
    golden.compare("edge/area", areas)
    areas.sum().backward()
    for key, tensor in (("text", text), ("video", video), ("audio", audio)):
        golden.compare(f"edge/grad_{key}", given(tensor.grad))


def check_pmrl(golden: Golden) -> None:
    """Singular values, leading vectors, both losses and gradients, with the recorded signs."""
    for modalities in golden.endings("out/loss_intra_"):
        vectors = {m: golden.input(f"in/feat_{m}").requires_grad_() for m in modalities}
        found = principal(torch.stack(list(vectors.values()), dim=1))
        golden.compare(f"out/singular_values_{modalities}", found.values)
        signs = golden.input(f"out/sign_against_sum_{modalities}")[:, None]
        # LAPACK's sign at the time of the recording
        leading = found.leading * signs
        golden.compare(f"out/leading_vectors_{modalities}", leading, atol=LEADING)
        intra = leading_loss(found.values, golden.number("tau1"))
        inter = separation_loss(leading, golden.number("tau2"))
        golden.compare(f"out/loss_intra_{modalities}", intra)
        golden.compare(f"out/loss_inter_{modalities}", inter)
        inputs = tuple(vectors.values())
        for prefix, loss in ((f"grad_intra_{modalities}", intra), (f"grad_{modalities}", intra + inter)):
            gradients = torch.autograd.grad(loss, inputs, retain_graph=True)
            for modality, gradient in zip(modalities, gradients, strict=True):
                golden.compare(f"{prefix}/feat_{modality}", gradient, atol=LEADING)

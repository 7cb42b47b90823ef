"""CAE-AV as a plug-in: another method's composition behind an enrichment of its frames.

Hu et al., arXiv 2602.08309, as released; the first three are CASTE (methods/parts/enrichment/caste.py), the
next three CASE (methods/parts/enrichment/case.py), x the tokens of a modality:

    w  = softmax(MLP [p; q; p - q; p q] + [c, -c])      AgreementGate.forward
    r  = w_1 (x + g LN(attention x)) + w_2 (x + g LN(conv x))
                                                        SpatialEnrichment.forward, TemporalEnrichment.forward
    x' = x + gamma m r, m the salient tokens            Caste.forward
    y  = x' attends itself, its caption, the other      CaseStream.described, Case.forward
    w  = sigmoid(cos(mean y, mean caption))             caption_agreement
    x" = LN(x' + w y m + (1 - w) y)                     emphasised
    u  = f + gamma W x"_0                               methods/parts/enrichment/cae.py: CasteCase.forward
    L  = the host's + caption InfoNCE + (1 - cos(v, a)) + entropy of m
                                                        methods/parts/enrichment/objective.py: case_objectives

The paper is about audio-visual events, parsing, segmentation and questions; what is adapted to retrieval is
explained in `methods/parts/enrichment/cae.py`. The formulas of the three objectives are reconstructed.
"""

from collections.abc import Mapping
from typing import Any, Literal, cast

from pydantic import model_validator

from core.method import Dimensions, MethodConfig
from methods.avigate import Avigate
from methods.clip4clip import Clip4Clip
from methods.composed import ComposedAuthors, ComposedMethod
from methods.gaid import Gaid
from methods.parts.config import ComposedConfig, EnrichmentConfig, EnrichmentKind
from methods.released.own_captions import OwnCaptions
from methods.tmass import TMass
from methods.xpool import FAMILY_RECIPE, XPool

HOSTS: Mapping[str, type[ComposedMethod]] = {
    host.name: host for host in (Clip4Clip, XPool, TMass, Avigate, Gaid)
}
"""What can be enriched, by name."""


class CaeAvConfig(ComposedConfig):
    """CAE-AV's modules in front of a host, whose defaults fill what is not given."""

    host: Literal["clip4clip", "xpool", "tmass", "avigate", "gaid"] = "clip4clip"
    """Whose fusion, pooling, perturbation and objective: `clip4clip` is mean pooling, `xpool`
    text-conditioned pooling."""
    enrichment: EnrichmentKind = "caste-case"
    """CASTE and then CASE; one of them alone is an ablation."""

    @model_validator(mode="before")
    @classmethod
    def filled_from_host(cls, given: dict[str, Any]) -> dict[str, Any]:
        """The given values over the host's defaults; an unknown host is left to the field to refuse."""
        host = HOSTS.get(str(given.get("host", cls.model_fields["host"].default)))
        if host is None:
            return given
        return {**host.Config().model_dump(exclude=set(EnrichmentConfig.model_fields)), **given}


class CaeAv(ComposedMethod):
    """The host's score of frames that patches, sound and video-side captions have enriched."""

    name = "cae_av"
    title = "CAE-AV"
    paper = "Hu et al., CAE-AV, arXiv 2602.08309, adapted to retrieval"
    Config = CaeAvConfig
    # One recipe whatever the host, so that hosts compare. A host under its own authors' recipe is that
    # method with `config.enrichment=caste-case`.
    recipe = FAMILY_RECIPE
    # No checkpoint of this adaptation was released: a state's keys are our own.
    authors = ComposedAuthors(
        {f"{part}.": f"{part}." for part in ("enrichment", "fusion", "pooling", "perturbation")}
    )

    def __init__(self, config: MethodConfig, dimensions: Dimensions) -> None:
        super().__init__(config, dimensions)
        if HOSTS[cast(CaeAvConfig, config).host].own_captions:
            self.released = OwnCaptions(self)

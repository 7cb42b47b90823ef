"""T-MASS: X-Pool with stochastic texts.

Wang et al., arXiv 2403.17998, section 3:

    v  = X-Pool's attention of t over the frames        methods/parts/pooling/text_conditioned.py: forward
    S  = exp(W c + b), c_i = cos(t, f_i)        (5)     methods/parts/perturbation/base.py: Ball.radii
    t' = t + x S, x random                      (4)     methods/parts/perturbation/stp.py: stochastic_text
    t_ = t + S (v - t) / |v - t|, the support           methods/parts/perturbation/base.py: support_text
    L  = InfoNCE(t') + w InfoNCE(t_)                    methods/composed.py: loss
    s  = max over K draws of cos(t', v)                 methods/parts/perturbation/stp.py: score

Released: every video is pooled by its own caption, whatever the query (methods/released/own_captions.py).
"""

from collections.abc import Mapping
from typing import Any, ClassVar

from torch import Tensor

from core.axes import Ours
from methods.composed import ComposedAuthors, ComposedMethod
from methods.parts.config import ComposedConfig, NonNegative, PerturbationKind, PoolingKind
from methods.xpool import FAMILY_RECIPE, ON_MSRVTT, POOLING_KEYS

DEAD_SCALAR = "stochastic.std_branch.learnable_scalar"
"""Saved by the released T-MASS and GAID, uninitialised memory, never used."""


RADIUS = "stochastic.std_branch.linear_proj.weight"
"""Of T-MASS and GAID, `(D, F)`: the checkpoint is bound to its frames."""


class TMassAuthors(ComposedAuthors):
    """T-MASS's checkpoints."""

    def inputs(self, state: Mapping[str, Tensor]) -> Mapping[str, Any]:
        """Frames, which the radius weighs one by one."""
        return {"frames": state[RADIUS].shape[1]} if RADIUS in state else {}


class TMassConfig(ComposedConfig):
    """T-MASS's defaults; support weight .8 is the released MSR-VTT value (0 on LSMDC and DiDeMo)."""

    pooling: PoolingKind = "text-conditioned"
    """X-Pool's cross-attention."""
    perturbation: PerturbationKind = "stp"
    """The best of K random points of the text's ball."""
    support_weight: NonNegative = 0.8
    """Released: .8 on MSR-VTT, 0 on LSMDC and DiDeMo; in the paper a part of the method."""


class TMass(ComposedMethod):
    """Best cosine of K random points around the text with the pooled video."""

    name = "tmass"
    title = "T-MASS"
    paper = "Wang et al., Text Is MASS, CVPR 2024, arXiv 2403.17998"
    Config = TMassConfig
    recipe: ClassVar[Mapping[str, object]] = {
        **FAMILY_RECIPE,
        **ON_MSRVTT,
        "config.support_weight@lsmdc": 0.0,
        # The published LSMDC command draws from N(0, .003^2), which is next to no noise.
        "config.prior@lsmdc": Ours("uniform", released="normal"),
        "config.prior_std@lsmdc": Ours(1.0, released=0.003),
        "config.support_weight@didemo": 0.0,
        "config.dropout@didemo": 0.4,
    }
    own_captions = True
    authors = TMassAuthors(
        {**POOLING_KEYS, "stochastic.std_branch.linear_proj.": "perturbation.radius."},
        frozenset({DEAD_SCALAR}),
    )

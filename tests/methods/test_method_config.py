"""The defaults of the decisions page, one row each, and what a configuration refuses."""

import pytest
from pydantic import ValidationError

from core.axes import sided
from core.errors import BenchError
from core.method import Dimensions
from core.registry import registered_methods
from methods.avigate import Avigate
from methods.clip4clip import Clip4Clip
from methods.composed import ComposedMethod
from methods.gaid import Gaid
from methods.tmass import TMass
from methods.xpool import XPool

FAMILY = (XPool, TMass, Gaid)
ALL = (Clip4Clip, XPool, TMass, Avigate, Gaid)

DEFAULTS: list[tuple[tuple[type[ComposedMethod], ...], str, object]] = [
    ((TMass, Gaid), "prior", "uniform"),
    ((Gaid, TMass), "support_weight", 0.8),
    ((Gaid,), "loss_weights", "uniform"),
    ((Gaid,), "logit_scale_trainable", False),
    ((Clip4Clip, XPool, TMass, Avigate), "logit_scale_trainable", True),
    (ALL, "logit_scale_init", None),
    (ALL, "audio_alignment", "clip"),
    (ALL, "null_audio", "zeros"),
    (ALL, "pairs", "paired"),
    (ALL, "noise", "per-text"),
    ((Gaid,), "audio_projection", "none"),
    ((Gaid,), "alpha", 0.5),
    ((TMass,), "trials", 20),
    (FAMILY, "heads", 1),
    (FAMILY, "dropout", 0.3),
    (FAMILY, "pooling", "text-conditioned"),
    ((Clip4Clip,), "pooling", "mean"),
    ((Clip4Clip, XPool, TMass), "fusion", "none"),
    ((Gaid,), "fusion", "frame"),
    ((Avigate,), "fusion", "gated-transformer"),
    ((Avigate,), "interaction", "multi-grained"),
    ((TMass,), "perturbation", "stp"),
    ((Gaid,), "perturbation", "dasp"),
    ((Clip4Clip, XPool, Avigate), "perturbation", "none"),
    ((Clip4Clip, Avigate), "transformer_layers", 4),
    ((Avigate,), "resampler_layers", 4),
    ((Avigate,), "queries", 12),
    ((Avigate,), "residual", 0.05),
    ((Avigate,), "temperature", 1.0),
    ((Avigate,), "margin_beta", 0.2),
    ((Avigate,), "margin_delta", 0.1),
    ((Avigate,), "audio_tokens", None),
]

PER_DATASET: list[tuple[type[ComposedMethod], str, str, object]] = [
    (XPool, "msrvtt", "training.lr_new", 3e-5),
    (TMass, "msrvtt", "training.lr_new", 3e-5),
    (Gaid, "msrvtt", "training.lr_new", 3e-5),
    (TMass, "lsmdc", "config.support_weight", 0.0),
    (TMass, "didemo", "config.support_weight", 0.0),
    (TMass, "didemo", "config.dropout", 0.4),
    (Gaid, "didemo", "config.support_weight", 0.1),
    (Gaid, "didemo", "config.dropout", 0.4),
    (Gaid, "lsmdc", "config.support_weight", 0.3),
    (Gaid, "vatex", "config.support_weight", 0.4),
    (Gaid, "vatex", "config.dropout", 0.4),
]

RECIPES: list[tuple[tuple[type[ComposedMethod], ...], str, object]] = [
    (FAMILY, "training.lr_new", 1e-5),
    (FAMILY, "training.lr_clip", 1e-6),
    (ALL, "training.weight_decay", 0.2),
    (ALL, "training.epochs", 5),
    ((Clip4Clip, Avigate), "training.lr_new", 1e-4),
    ((Clip4Clip, Avigate), "training.lr_clip", 1e-6),
    ((Clip4Clip, Avigate), "training.optimizer", "bertadam"),
    (FAMILY, "training.optimizer", "adamw"),
    ((Avigate,), "training.lr_factors", {"query_tokens": 100.0}),
]


@pytest.mark.parametrize(("methods", "field", "value"), DEFAULTS)
def test_defaults(methods: tuple[type[ComposedMethod], ...], field: str, value: object) -> None:
    assert {method.name: getattr(method.Config(), field) for method in methods} == {
        m.name: value for m in methods
    }


@pytest.mark.parametrize(("method", "dataset", "key", "value"), PER_DATASET)
def test_what_the_authors_set_per_data_set(
    method: type[ComposedMethod], dataset: str, key: str, value: object
) -> None:
    assert sided(method.recipe)[f"{key}@{dataset}"] == value


@pytest.mark.parametrize(("methods", "key", "value"), RECIPES)
def test_training_recipes(methods: tuple[type[ComposedMethod], ...], key: str, value: object) -> None:
    assert {method.name: sided(method.recipe)[key] for method in methods} == {m.name: value for m in methods}


@pytest.mark.parametrize("name", sorted(registered_methods()))
def test_every_field_is_documented(name: str) -> None:
    import ast
    import inspect

    for cls in registered_methods()[name].Config.__mro__:
        if not cls.__module__.startswith("methods"):
            continue
        body = ast.parse(inspect.getsource(cls)).body[0].body  # type: ignore[attr-defined]
        for node, following in zip(body, [*body[1:], None], strict=True):
            if isinstance(node, ast.AnnAssign):
                assert isinstance(following, ast.Expr), f"{cls.__name__}.{node.target.id} has no docstring"


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("fusion", "frames"),
        ("trials", 0),
        ("dropout", 1.0),
        ("prior_std", 0.0),
        ("heads", 0),
        ("gate_inputs", ()),
        ("residual", 1.5),
        ("support_weight", -0.1),
        ("no_such_field", 1),
    ],
)
def test_values_out_of_range_are_refused(field: str, value: object) -> None:
    with pytest.raises(ValidationError):
        Gaid.Config(**{field: value})


@pytest.mark.parametrize(
    ("method", "config", "message"),
    [
        (XPool, {"heads": 3}, "heads=3 does not divide the joint width 8"),
        (Avigate, {"transformer_heads": 3}, "transformer_heads=3 does not divide the joint width 8"),
        (Avigate, {"positions": 4}, "frames=5 is more than positions=4"),
    ],
)
def test_shapes_that_do_not_fit_are_refused(
    method: type[ComposedMethod], config: dict[str, object], message: str
) -> None:
    with pytest.raises(BenchError, match=message):
        method(method.Config(**config), Dimensions(8, 5, 8))

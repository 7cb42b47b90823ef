"""Which weights train at which rate, and which decay."""

from collections.abc import Callable

import pytest

from core.errors import BenchError
from core.registry import registered_methods
from core.training.rates import build_optimizer


def test_rates_follow_the_groups_and_biases_are_spared_the_decay(make_retriever: Callable) -> None:
    retriever, spec = make_retriever(
        "avigate",
        training__optimizer="bertadam",
        training__decay_biases=False,
        training__lr_new=1e-3,
        training__lr_clip=1e-5,
        training__lr_factors={"query_tokens": 100.0},
        training__weight_decay=0.3,
    )
    optimizer = build_optimizer(retriever, spec.training)
    settings = {
        id(p): (group["lr"], group["weight_decay"])
        for group in optimizer.param_groups
        for p in group["params"]
    }
    count = sum(len(group["params"]) for group in optimizer.param_groups)
    trainable = {name: p for name, p in retriever.named_parameters() if p.requires_grad}
    assert count == len(settings) == len(trainable)
    for name, parameter in trainable.items():
        rate = 1e-3
        if name.startswith("clip.") or name == "method.logit_scale":
            rate = 1e-5
        elif name == "method.fusion.query_tokens":
            rate = 0.1
        found = settings[id(parameter)]
        assert found == (pytest.approx(rate), 0.0 if "bias" in name else 0.3), name


@pytest.mark.parametrize(
    ("method", "group", "message"),
    [
        ("avigate", "query_token", r"unknown group .* of avigate 'query_token'; did you mean 'query_tokens'"),
        ("avigate", "new", r"unknown group .* of avigate 'new'; known: query_tokens"),
        ("xpool", "query_tokens", r"names 'query_tokens', and no weights of xpool are a group; leave it out"),
    ],
)
def test_a_factor_of_a_group_that_the_method_does_not_have_is_one_line(
    method: str, group: str, message: str, make_retriever: Callable
) -> None:
    retriever, spec = make_retriever(method, training__lr_factors={group: 2.0})
    with pytest.raises(BenchError, match=message) as caught:
        build_optimizer(retriever, spec.training)
    assert "\n" not in str(caught.value)


def test_a_recipe_may_name_a_group_that_an_ablation_leaves_out(make_retriever: Callable) -> None:
    factors = registered_methods()["avigate"].recipe["training.lr_factors"]
    retriever, spec = make_retriever("avigate", config__fusion="none", training__lr_factors=factors)
    build_optimizer(retriever, spec.training)

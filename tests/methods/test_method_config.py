"""Every field of a configuration is documented, and what cannot be is refused."""

import pytest
from pydantic import ValidationError

from core.errors import BenchError
from core.method import Dimensions
from core.registry import registered_methods
from methods.avigate import Avigate
from methods.composed import ComposedMethod
from methods.gaid import Gaid
from methods.xpool import XPool


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

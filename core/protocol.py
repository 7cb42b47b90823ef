"""What a spec adds to a result's protocol: declared fields, and where it leaves the authors' code."""

from collections.abc import Collection
from typing import Any

from core.axes import InProtocol, declared
from core.registry import registered_methods
from core.resolving import fields_of, resolve
from core.spec import NESTED, RunSpec, dotted

RUN_KEYS = ("recipe", "checkpoint", "seeds")
"""Keys, or parts of them, that say which run it is and not how the authors would have made it."""


def protocol_fields(spec: RunSpec) -> dict[str, Any]:
    """What fields declare to be part of the protocol, by the name they give it.

    What only other methods have is `not applicable`.
    """
    values, found = dotted(spec), {}
    for method in registered_methods().values():
        for key, field in declared({"": RunSpec, **NESTED, "config": method.Config}).items():
            if mark := field.mark(InProtocol):
                found[mark.name] = values.get(key, "not applicable")
    return found


def differs_from_authors(spec: RunSpec, decided: Collection[str] = ()) -> dict[str, Any]:
    """The keys in which a run differs from its method's released code, with the authors' values.

    Keys of parts that the run does not have are left out, those that the authors' checkpoint has `decided`,
    and those of training where nothing trains.
    """
    own = RUN_KEYS if spec.training.epochs else (*RUN_KEYS, "training")
    values, fields = dotted(spec), fields_of(spec.method, spec.dataset)
    authors = dotted(resolve(spec.method, spec.dataset, {"recipe": "authors"}))
    return {
        key: value
        for key, value in authors.items()
        if values.get(key, value) != value
        and key.partition(".")[0] not in own
        and key not in decided
        and not (key in fields and fields[key].idle(values, lambda need: True))
    }

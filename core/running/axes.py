"""The axes of an ablation: which method has which, and which keys have no effect without which part."""

from collections.abc import Iterable, Mapping

from core.errors import BenchError
from core.method import Method, find_method
from core.spec import RunSpec

AXES: Mapping[str, str] = {
    "fusion": "config.fusion",
    "pooling": "config.pooling",
    "perturbation": "config.perturbation",
    "audio_encoder": "audio_encoder",
    "frames": "frames",
}
"""Axis on the command line -> key of the spec."""

IDLE: Mapping[str, tuple[str, tuple[str, ...]]] = {
    "audio_encoder": ("fusion", ("none",)),
    "config.audio_alignment": ("fusion", ("none",)),
    "config.audio_projection": ("fusion", ("none",)),
    "config.null_audio": ("fusion", ("none",)),
    "config.gate_inputs": ("fusion", ("none", "gated-transformer")),
    "config.prior": ("perturbation", ("none",)),
    "config.support_weight": ("perturbation", ("none",)),
    "config.trials": ("perturbation", ("none", "dasp")),
    "config.noise": ("perturbation", ("none", "dasp")),
    "config.alpha": ("perturbation", ("none", "stp")),
}
"""Key of the spec -> a part, and the kinds of that part under which the key has no effect."""


def has_axis(method: type[Method], axis: str) -> bool:
    """Whether a method has the part that an axis varies.

    A method has a fusion or a perturbation if its own default is not `none`, and an audio encoder
    if it fuses sound or enriches frames by it; every method has frames.
    """
    if axis == "frames":
        return True
    fields = method.Config.model_fields
    names = ("fusion", "enrichment") if axis == "audio_encoder" else (axis,)
    return any(name in fields and fields[name].default != "none" for name in names)


def refuse_idle(cell: RunSpec, keys: Iterable[str]) -> None:
    """Raises `BenchError` where an experiment gives a cell a part that its method does not have.

    So is a key that has no effect in the cell: its numbers would be taken for a finding.
    """
    axis_of = {key: axis for axis, key in AXES.items()}
    for key in keys:
        if key in axis_of and not has_axis(find_method(cell.method), axis_of[key]):
            raise BenchError(
                f"{cell.method} has no {axis_of[key]}; leave it out of the block or take {key} out"
            )
        part, kinds = IDLE.get(key, ("", ()))
        if cell.config.get(part) in kinds:
            raise BenchError(
                f"{cell.method} with {part}={cell.config[part]}: {key} has no effect; "
                "exclude this combination or take the key out"
            )

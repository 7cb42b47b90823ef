"""A cell's method built without data and, first, without memory: what it needs, and whether it fits."""

import psutil

from core.errors import BenchError
from core.method import Dimensions, Method, made
from core.plugin_errors import PluginError
from core.progress import bytes_in_words
from core.registry import find_method
from core.spec import RunSpec
from core.weightless import weightless

TRAINED_COPIES = 4
"""A weight in training: itself, its gradient, and the two moments that the optimiser keeps."""


def probe_method(spec: RunSpec) -> Method:
    """A cell's method at a width that all usual numbers of heads divide; it says what it needs."""
    cls = find_method(spec.method)
    dimensions = Dimensions(192, spec.frames, 192, spec.text_tokens or 77)
    require_memory(spec, dimensions)
    return made(cls, spec.config, dimensions)


def require_memory(spec: RunSpec, dimensions: Dimensions) -> None:
    """Raises `BenchError` where a method's weights, in training with all that belongs to them, do not fit.

    The system may promise more memory than there is and end the process that uses it.
    """
    copies = TRAINED_COPIES if spec.training.epochs else 1
    needed, free = copies * weight_bytes(spec, dimensions), psutil.virtual_memory().available
    if needed > free:
        raise BenchError(
            f"{spec.method}: its weights{' in training' if copies > 1 else ''} take {bytes_in_words(needed)} "
            f"and {bytes_in_words(free)} of memory are free; lower the sizes among its config.* keys"
        )


def weight_bytes(spec: RunSpec, dimensions: Dimensions) -> int:
    """Bytes of a method's weights, counted without memory for them; 0 where its code reads their values."""
    try:
        with weightless():
            method = made(find_method(spec.method), spec.config, dimensions)
    except PluginError:
        return 0
    return sum(tensor.nbytes for tensor in (*method.parameters(), *method.buffers()))

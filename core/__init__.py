"""The shared training and evaluation engine. It knows no method by name.

A run goes through its rooms in this order: `datasets` (annotations) and `media` (files to frames and sound)
fill the `store`, `encoders` make features of it, `training` fits a method's weights, `scoring` compares every
text with every video, `evaluation` ranks and measures, and `running` leads many such runs from an experiment
file to their folders. `audit` checks any method from outside. Beside them stands what all rooms share: the
contract of a method (`method`), what a run is (`spec`), a batch of videos (`batch`), errors, paths, progress.

For programs of your own, from here: `load_run` opens a finished run as a model (`core.running.trained`).
"""

from typing import Any

__all__ = ["load_run"]


def __getattr__(name: str) -> Any:
    """What `from core import ...` offers; opened when it is asked for, because torch takes seconds."""
    if name == "load_run":
        from core.running.trained import load_run

        return load_run
    raise AttributeError(f"module 'core' has no attribute {name!r}")

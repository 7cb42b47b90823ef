"""The shared training and evaluation engine. It knows no method by name.

A run goes through its rooms in this order: `datasets` (annotations) and `media` (files to frames and sound)
fill the `store`, `encoders` make features of it, `training` fits a method's weights, `scoring` compares every
text with every video, `evaluation` ranks and measures, and `running` leads many such runs from an experiment
file to their folders. `audit` checks any method from outside. Beside them stands what all rooms share: the
contract of a method (`method`), what a run is (`spec`), a batch of videos (`batch`), errors, paths, progress.

For programs of your own, from here: `load_run` opens a finished run as a model (`core.running.trained`),
`index_videos` makes an index of a folder of videos with it (`core.search.building`), and `open_index` opens
one to be searched (`core.search.opened`).
"""

from typing import Any

__all__ = ["index_videos", "load_run", "open_index"]


def __getattr__(name: str) -> Any:
    """What `from core import ...` offers; opened when it is asked for, because torch takes seconds."""
    if name == "load_run":
        from core.running.trained import load_run

        return load_run
    if name == "index_videos":
        from core.search.building import index_videos

        return index_videos
    if name == "open_index":
        from core.search.opened import open_index

        return open_index
    raise AttributeError(f"module 'core' has no attribute {name!r}")

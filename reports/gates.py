"""The audio gates of a run, read back: the one place that opens gates.safetensors."""

from collections.abc import Mapping
from dataclasses import dataclass

from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from core.run_files import GateScores
from core.runs import RunDirectory

GATES_FILE = "gates.safetensors"


@dataclass(frozen=True)
class Gates:
    """The gates of one split, a row per video under its own first caption."""

    video: Tensor
    """`(B,)` int64: position of the video in the split."""
    values: Tensor
    """`(B, F)` weight of the sound per frame, or `(B, layers)`."""
    audible: Tensor
    """`(B,)` bool."""
    truth: Tensor | None
    """`(B, F)` bool: where the sound matters, where that is known."""
    untrained: Tensor | None
    """What a gate of fresh weights gives, shaped as `values`."""
    scores: GateScores

    @property
    def per_frame(self) -> bool:
        """Whether there is a gate per frame, and not one per layer."""
        return self.scores.axis == "frame"

    @property
    def probability(self) -> bool:
        """Whether a value can be read as a probability: one per frame, between 0 and 1."""
        return self.per_frame and bool(((self.values >= 0) & (self.values <= 1)).all())


def sign_note(gates: Gates) -> str:
    """Whether the sign of some gates means anything, as figures and page say it."""
    if gates.probability:
        return (
            "A gate lies between 0 (the sound is left out) and 1 and has no sign: the higher, the more sound."
        )
    if gates.per_frame:
        return "The sign of these gates has no meaning of its own unless the method's paper gives it one."
    return (
        "The sign of a gate per layer has no meaning of its own, for the next projection can turn it round; "
        "near 0 the layer leaves the sound out."
    )


def read_gates(directory: RunDirectory, scores: Mapping[str, GateScores]) -> Mapping[str, Gates]:
    """The gates of each split that metrics.json scores.

    Raises `BenchError` naming the file, and the tensor, where it is damaged.
    """
    if not scores:
        return {}
    try:
        stored = load_file(directory.path / GATES_FILE)
    except (OSError, SafetensorError) as error:
        raise directory.damaged(GATES_FILE, str(error)) from error
    found = {}
    for split, scored in scores.items():
        named = {
            name: stored.get(f"{split}/{name}")
            for name in ("video", "gates", "audible", "truth", "untrained")
        }
        video, values, audible = named["video"], named["gates"], named["audible"]
        if video is None or values is None or audible is None:
            missing = next(name for name, tensor in named.items() if tensor is None)
            raise directory.damaged(GATES_FILE, f"no tensor '{split}/{missing}'")
        for name, tensor in named.items():
            dimensions = 1 if name in ("video", "audible") else 2
            if tensor is not None and (tensor.ndim != dimensions or len(tensor) != len(video)):
                raise directory.damaged(GATES_FILE, f"'{split}/{name}' has shape {tuple(tensor.shape)}")
        if not bool(values.isfinite().all()):
            raise directory.damaged(GATES_FILE, f"'{split}/gates' is not finite")
        truth, untrained = named["truth"], named["untrained"]
        if untrained is not None and untrained.shape != values.shape:
            raise directory.damaged(GATES_FILE, f"'{split}/untrained' has shape {tuple(untrained.shape)}")
        if truth is not None and scored.axis == "frame" and truth.shape != values.shape:
            raise directory.damaged(GATES_FILE, f"'{split}/truth' has shape {tuple(truth.shape)}")
        found[split] = Gates(
            video, values, audible.bool(), None if truth is None else truth.bool(), untrained, scored
        )
    return found

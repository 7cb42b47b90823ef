"""Devices: training, index, scores and gates work on a GPU, whether or not there is one here."""

import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

import torch
from torch import Tensor

from core.audit.contract import named_tensors
from core.audit.pretended import CannotPretend, pretended_cuda
from core.audit.subject import Subject
from core.audit.verdict import Verdict
from core.batch import Rows, Texts, Videos
from core.method import Method
from core.plugin_errors import PluginError
from core.scoring.names import Engine
from core.scoring.noise import scoring_noise
from core.scoring.scoring import build_index, exact_arithmetic, score_matrix

PAIRS = 8
"""Texts and videos, with short clips, silent ones and one without captions among them."""


@dataclass
class Steps:
    """What is being done, and what has been."""

    step: str = ""
    done: tuple[str, ...] = ()


def device(subject: Subject) -> Verdict:
    """A training step, and everything that scores, on `cuda`: pretended where there is no GPU."""
    method, progress = subject.untrained(), Steps()
    kind = "a GPU" if torch.cuda.is_available() else "a pretended GPU"
    try:
        with cuda() as generator:
            for step in steps(subject, method, generator):
                progress = Steps(step, (*progress.done, step))
    except Exception as raised:  # on the CPU the same calls went well
        error = raised.__cause__ if isinstance(raised, PluginError) and raised.__cause__ else raised
        if isinstance(error, CannotPretend):
            return untold(subject, error)
        words = " ".join(str(error).split())
        after = f" after {progress.step}" if progress.step else ""
        figure = f"on {kind}{after}: {error_place(error)}{type(error).__name__}: {words}"
        meaning = "It fails on a GPU: make every tensor, mask and generator on the device of its inputs."
        return subject.verdict("device", "fail", figure, meaning)
    meaning = "Nothing is left on the CPU where it runs on a GPU."
    return subject.verdict("device", "pass", f"on {kind}: {', '.join(progress.done)}", meaning)


def untold(subject: Subject, error: BaseException) -> Verdict:
    """Where the pretence ends."""
    meaning = "Only a GPU can tell: run `make gpu-check`."
    return subject.verdict("device", "not applicable", f"{error_place(error)}{error}", meaning)


def error_place(error: BaseException) -> str:
    """`late.py, line 30, `: the last line outside of torch and the audit that an exception passed."""
    frames = traceback.extract_tb(error.__traceback__)
    beside = [Path(torch.__file__).parent, Path(__file__).parent]
    seen = [f for f in frames if not any(Path(f.filename).is_relative_to(folder) for folder in beside)]
    return "".join(f"{Path(frame.filename).name}, line {frame.lineno}, " for frame in seen[-1:])


@contextmanager
def cuda() -> Iterator[torch.Generator]:
    """The device `cuda`, and a generator of it."""
    if torch.cuda.is_available():
        yield torch.Generator("cuda")
        return
    with pretended_cuda() as generator:
        yield generator


def steps(subject: Subject, method: Method, generator: torch.Generator) -> Iterator[str]:
    """Does one thing after the other, and says what is done."""
    world = subject.world
    method = method.to("cuda")
    texts, videos = world.texts[:PAIRS].to("cuda"), world.videos[:PAIRS].to("cuda")
    yield from training(method, texts, videos, generator)
    method.eval()
    yield from scoring(subject, method, texts, videos)
    if method.gate is not None:
        with exact_arithmetic(method):
            on_cuda("the gate's weights", method.gate.weights(texts, videos))
        yield "gate"


def training(method: Method, texts: Texts, videos: Videos, generator: torch.Generator) -> Iterator[str]:
    """The loss and its gradients."""
    with torch.random.fork_rng(devices=[]), torch.enable_grad():
        losses = method.train().loss(texts, videos, generator)
        on_cuda("the loss", losses.total)
        for name, term in losses.terms.items():
            on_cuda(f"the term {name} of the loss", term)
        if losses.total.requires_grad:
            losses.total.backward()
    method.zero_grad(set_to_none=True)
    yield "training step"


def scoring(subject: Subject, method: Method, texts: Texts, videos: Videos) -> Iterator[str]:
    """The index, scores by modules and by algebra under the subject's condition, and candidates."""
    released = subject.condition == "released"
    with exact_arithmetic(method):
        rows: Rows = method.index(videos)
        for name, tensor in named_tensors(rows):
            on_cuda(f"`{name}` of the index", tensor)
        yield "index"
        scores = method.score(texts, rows, scoring_noise(method.config, 0, released=False))
        on_cuda("the scores", scores)
        if method.candidates is not None:
            on_cuda("candidates of videos", method.candidates.videos(rows))
            on_cuda("candidates of texts", method.candidates.texts(texts))
            yield "candidates"
    for engine in get_args(Engine):
        score_matrix(
            method,
            texts,
            build_index(method, videos, engine=engine, check=False),  # both are compared on the CPU
            condition=subject.condition,
            pairing=torch.arange(PAIRS),
            noise=scoring_noise(method.config, 0, released=released),
        )
        yield f"{subject.condition} scores ({engine})"


def on_cuda(what: str, tensor: Any) -> None:
    """Raises `ValueError` for a tensor that is elsewhere."""
    if isinstance(tensor, Tensor) and tensor.device.type != "cuda":
        raise ValueError(
            f"{what} are on {tensor.device}" if what.endswith("s") else f"{what} is on {tensor.device}"
        )

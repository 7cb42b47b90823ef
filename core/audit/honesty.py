"""Index honesty: what is computed of a video in advance has seen no text.

`Method.index` is given videos only, but a method could keep a text from an earlier call. So it scores texts
that can be armed; while the index is built, touching one, or anything computed from one, raises.
"""

import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, fields, replace
from typing import Any, ClassVar, Self

from torch import Tensor

from core.audit.noise_features import WordedTexts
from core.audit.subject import VIDEOS, Subject
from core.audit.verdict import Verdict, judged
from core.batch import Rows, Texts, Videos
from core.method import Method
from core.scoring.scoring import exact_arithmetic


class TextTouched(Exception):
    """Something has worked with a text while none may be known."""


class TextTensor(Tensor):
    """A tensor that raises `TextTouched` when used while armed; so do the results of working with it."""

    armed: ClassVar[bool] = False

    @classmethod
    def __torch_function__(
        cls,
        func: Callable[..., Any],
        types: Sequence[type],
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        """Any operation of torch on it."""
        if cls.armed:
            raise TextTouched(getattr(func, "__name__", str(func)))
        return super().__torch_function__(func, types, args, kwargs or {})  # type: ignore[no-untyped-call]

    @classmethod
    @contextmanager
    def untouchable(cls) -> Iterator[type[Self]]:
        """For the length of a block, every such tensor raises when touched."""
        cls.armed = True
        try:
            yield cls
        finally:
            cls.armed = False


def holds_text(rows: Rows) -> bool:
    """Whether some tensor of an index comes from a text."""
    parts = (getattr(rows, field.name) for field in fields(rows))
    return any(holds_text(part) if isinstance(part, Rows) else isinstance(part, TextTensor) for part in parts)


@dataclass(frozen=True)
class Rebuilt:
    """An index that was built while texts were armed."""

    rows: Sequence[Rows]
    """What the method's modules keep, then what its algebra makes of that; none where a text was touched."""
    text: str
    """How text got into it; empty where none did."""


def rebuilt(subject: Subject, method: Method, videos: Videos) -> Rebuilt:
    """The index of a method that has scored `TextTensor`s."""
    surplus = list(inspect.signature(method.index).parameters)[1:]
    if surplus:
        return Rebuilt((), f"index takes {', '.join(surplus)}")
    with TextTensor.untouchable(), exact_arithmetic(method), subject.blamed("index"):
        try:
            rows = [method.index(videos)]
            if method.exact and not method.exact.obstacle:
                rows.append(method.exact.index(rows[0]))
        except TextTouched as touch:
            return Rebuilt((), f"text touched by {touch}")
    return Rebuilt(rows, "text kept in the index" if any(map(holds_text, rows)) else "")


def armed(texts: WordedTexts) -> Texts:
    """Texts whose embeddings and words raise when touched while `TextTensor` is armed."""
    embeds, words = (tensor.as_subclass(TextTensor) for tensor in (texts.embeds, texts.words))
    return replace(texts, embeds=embeds, words=words)


def index_honesty(subject: Subject) -> Verdict:
    """Builds an index after texts have been scored, and while they raise when touched."""
    method, world = subject.compared()
    subject.scores(method, armed(world.texts[:VIDEOS]), world.videos)
    return honesty(subject, rebuilt(subject, method, world.videos))


def honesty(subject: Subject, index: Rebuilt) -> Verdict:
    """What a method that has just scored `armed` texts does with them when it builds an index."""
    meaning = (
        f"What is kept of a video has seen a text ({index.text}): look at `index`."
        if index.text
        else "What is kept of a video is made of the video; only scoring sees texts."
    )
    return subject.verdict("index honesty", judged(not index.text), index.text or "no text touched", meaning)

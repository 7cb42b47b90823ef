"""Processes of this command under supervision: none outlives it, hangs it or ends unheard.

Processes are forked from a server that has imported the engine once and has touched no device: they start at
once, and no copy of a process with running threads is ever made. Each has a pipe of its own to the parent, so
that one that is killed in the middle of a word harms no other, and ends at once when the parent has died.
"""

import math
import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from multiprocessing import forkserver, resource_tracker
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from time import monotonic
from types import TracebackType
from typing import Any, Generic, Literal, Self, TypeVar

from core.temporary import own_temporary_folder

PRELOADED = (
    "core.running.cells",
    "core.running.scheduler",
    "open_clip",
    "transformers.models.whisper.modeling_whisper",
)
"""What the server imports, by name: it holds all that any worker or cell needs."""

CONTEXT = multiprocessing.get_context("forkserver")
"""How every process of the engine starts."""
CONTEXT.set_forkserver_preload(list(PRELOADED))  # for whoever starts the server first

LOOK = 0.2
"""Seconds between two looks at processes that are to end."""

Task = TypeVar("Task")


@dataclass(frozen=True)
class Said:
    """A message of a process."""

    content: Any


@dataclass(frozen=True)
class Ended:
    """The end of a process."""

    how: Literal["crashed", "hung"]
    """Whether it ended itself, or was ended because it had been silent for too long."""
    reason: str
    """How, in words."""


@dataclass
class Child(Generic[Task]):
    """A process as its parent sees it."""

    process: BaseProcess
    pipe: Connection
    """Our end."""
    task: Task
    """What it works on, for whoever started it."""
    deadline: float = math.inf
    """Time of the monotonic clock by which it must have spoken, or it counts as hung."""
    patience: float = math.inf
    """The seconds that led to the deadline."""
    closed: bool = False
    """Whether its end of the pipe is closed: it is about to end."""

    def expect(self, seconds: float) -> None:
        """From now on it may be silent for so long."""
        self.patience, self.deadline = seconds, monotonic() + seconds

    def give(self, message: object) -> None:
        """Sends something; a process that has ended meanwhile is reported by `Supervisor.messages`."""
        with suppress(OSError):
            self.pipe.send(message)

    def heard(self) -> Iterator[Any]:
        """What it has said since it was last asked; also what it said before it ended."""
        while not self.closed and self.pipe.poll():
            try:
                content = self.pipe.recv()
            except (EOFError, OSError):  # it has ended, perhaps in the middle of a word
                self.closed = True
                return
            yield content


@contextmanager
def without_script() -> Iterator[None]:
    """Keeps a process that starts in this block from running the user's script, should one be running.

    Python would run it again in every process, for what it may define. Workers are given nothing of it, and a
    script that calls the engine outside `if __name__ == "__main__"` would start processes without end.
    """
    main = sys.modules["__main__"]
    plain = vars(main).get("__spec__") is None  # a file, and no module of a package
    file = vars(main).pop("__file__", None) if plain else None
    try:
        yield
    finally:
        if file is not None:
            main.__file__ = file


@dataclass
class Supervisor(Generic[Task]):
    """Starts processes and tells what they say and how they end. At the end of its block all are ended."""

    grace: float
    """Seconds that processes have for tidying up when they are ended before they are done."""
    daemon: bool = True
    """Whether the processes start no others."""
    children: list[Child[Task]] = field(default_factory=list)
    """Those that live, or whose end has not been told yet."""

    def __enter__(self) -> Self:
        start_server()
        return self

    def start(self, task: Task, target: Callable[..., None], *arguments: object) -> Child[Task]:
        """Starts `target(*arguments, pipe)` in a process of its own, whose SIGTERM is a KeyboardInterrupt."""
        ours, theirs = CONTEXT.Pipe()
        process = CONTEXT.Process(target=live, args=(target, arguments, theirs), daemon=self.daemon)
        with without_script():
            process.start()
        theirs.close()
        child = Child(process, ours, task)
        self.children.append(child)
        return child

    def messages(self, seconds: float = math.inf) -> Iterator[tuple[Child[Task], Said | Ended]]:
        """What processes have said and how they have ended, after waiting for at most so many seconds."""
        seconds = min([seconds, *(child.deadline - monotonic() for child in self.children)])
        sources: list[Any] = [child.process.sentinel for child in self.children]
        sources += [child.pipe for child in self.children if not child.closed]
        wait(sources, None if seconds == math.inf else max(0.0, seconds))
        for child in list(self.children):
            ended = not child.process.is_alive()  # asked first, so that its last words are heard
            for content in child.heard():
                yield child, Said(content)
            if child.closed and child.deadline == math.inf:
                child.expect(self.grace)
            if ended:
                yield child, Ended("crashed", exit_in_words(self.dismiss(child)))
            elif monotonic() > child.deadline:
                patience = child.patience
                self.dismiss(child)
                yield child, Ended("hung", f"no end after {patience:g} s")

    def dismiss(self, child: Child[Task]) -> int:
        """Ends a process that does not listen, or has ended; returns its exit code."""
        child.process.terminate()
        child.process.join(self.grace)
        child.process.kill()
        child.process.join()
        child.pipe.close()
        self.children.remove(child)
        return child.process.exitcode or 0

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with hurried() as hurry:
            for child in self.children:
                child.process.terminate()
            last = monotonic() + self.grace
            while any(child.process.is_alive() for child in self.children):
                if hurry.is_set() or monotonic() > last:
                    break
                for child in self.children:
                    for _ in child.heard():
                        pass  # a process that nobody hears waits until somebody does
                wait([child.process.sentinel for child in self.children if child.process.is_alive()], LOOK)
            for child in list(self.children):
                child.process.kill()
                child.process.join()
                child.pipe.close()
                self.children.remove(child)


def exit_in_words(exit_code: int) -> str:
    """How a process ended.

    >>> in_words(1), in_words(-6)
    ('exit code 1', 'Aborted')
    """
    if exit_code >= 0:
        return f"exit code {exit_code}"
    hint = ", perhaps out of memory" if exit_code == -signal.SIGKILL else ""
    return f"{signal.strsignal(-exit_code)}{hint}"


@contextmanager
def hurried() -> Iterator[threading.Event]:
    """For a block, Ctrl-C sets the event and interrupts nothing."""
    hurry = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield hurry
        return
    before = signal.signal(signal.SIGINT, lambda *_: hurry.set())
    try:
        yield hurry
    finally:
        signal.signal(signal.SIGINT, before)


def live(target: Callable[..., None], arguments: tuple[object, ...], pipe: Connection) -> None:
    """The life of a process under supervision."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a terminal signals the whole group; the parent decides
    signal.signal(signal.SIGTERM, raise_interrupt)
    threading.Thread(target=end_with_parent, daemon=True).start()
    try:
        target(*arguments, pipe)
    except KeyboardInterrupt:
        sys.exit(1)


def raise_interrupt(number: int, frame: object) -> None:
    """The first SIGTERM becomes a KeyboardInterrupt; further ones change nothing."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    raise KeyboardInterrupt


def end_with_parent() -> None:
    """Ends this process when its parent has ended, also one that was killed and could tell nobody."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def start_server(preloaded: Sequence[str] = PRELOADED) -> None:
    """Starts the server in the background, so that it imports while this process does other things.

    Whoever comes first names what it imports.
    """
    own_temporary_folder()
    CONTEXT.set_forkserver_preload(list(preloaded))
    # A terminal sends Ctrl-C to every process; blocked here, it reaches neither the server nor its children.
    resource_tracker.ensure_running()  # which the server needs, and whose start would lift the block
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        forkserver.ensure_running()
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)

"""Processes under supervision: what they say is heard, and none of them stays."""

import multiprocessing
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path

import pytest
from filelock import FileLock

from core.supervisor import Ended, Said, Supervisor, exit_in_words
from core.temporary import PREFIX, remove_abandoned


def say(words: list[str], pipe: Connection) -> None:
    for word in words:
        pipe.send(word)


def break_off(pipe: Connection) -> None:
    """What a process leaves in its pipe that is killed while it speaks: a length, and half of the words."""
    pipe.send("whole")
    os.write(pipe.fileno(), b"\x00\x00\x01\x00half")
    os.kill(os.getpid(), signal.SIGKILL)


def chatter(file: Path, pipe: Connection) -> None:
    """Speaks until it is interrupted, which it notes."""
    try:
        while True:
            pipe.send("x" * 10_000)
    except KeyboardInterrupt:
        file.touch()


def note_the_end(file: Path, pipe: Connection) -> None:
    try:
        pipe.send("ready")
        time.sleep(60)
    except KeyboardInterrupt:
        file.touch()


def be_stubborn(pipe: Connection) -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    pipe.send("ready")
    time.sleep(60)


def hang(pipe: Connection) -> None:
    time.sleep(60)


def all_news(crew: Supervisor[str]) -> list[tuple[str, Said | Ended]]:
    found = []
    while crew.children:
        found += [(child.task, news) for child, news in crew.messages()]
    return found


def test_all_words_are_heard_before_the_end() -> None:
    with Supervisor[str](1.0) as crew:
        crew.start("task", say, ["one", "two"])
        news = all_news(crew)
    assert news == [("task", Said("one")), ("task", Said("two")), ("task", Ended("crashed", "exit code 0"))]


def test_a_message_that_breaks_off_harms_nobody() -> None:
    with Supervisor[str](1.0) as crew:
        crew.start("broken", break_off)
        crew.start("well", say, ["word"])
        news = all_news(crew)
    assert [one for task, one in news if task == "broken"] == [
        Said("whole"),
        Ended("crashed", "Killed, perhaps out of memory"),
    ]
    assert ("well", Said("word")) in news


def test_a_process_that_is_silent_for_too_long_is_ended() -> None:
    with Supervisor[str](1.0) as crew:
        crew.start("task", hang).expect(0.2)
        assert all_news(crew) == [("task", Ended("hung", "no end after 0.2 s"))]


@pytest.mark.parametrize("target", [note_the_end, chatter])
def test_an_error_in_the_block_ends_the_processes_which_may_tidy_up_first(
    target: Callable[..., None], tmp_path: Path
) -> None:
    """Also one that nobody hears any more, and whose pipe is full."""
    with pytest.raises(ZeroDivisionError), Supervisor[str](30.0) as crew:
        child = crew.start("task", target, tmp_path / "tidied")
        child.pipe.poll(None)
        raise ZeroDivisionError
    assert (tmp_path / "tidied").exists()
    assert not multiprocessing.active_children()


def test_ctrl_c_ends_at_once_what_does_not_want_to_end() -> None:
    before = signal.signal(signal.SIGALRM, lambda *_: signal.raise_signal(signal.SIGINT))
    with pytest.raises(ZeroDivisionError), Supervisor[str](600.0) as crew:
        child = crew.start("task", be_stubborn)
        child.pipe.poll(None)
        signal.setitimer(signal.ITIMER_REAL, 0.5)
        raise ZeroDivisionError
    signal.signal(signal.SIGALRM, before)
    assert child.process.exitcode == -signal.SIGKILL


def test_how_a_process_ended_is_told_in_words() -> None:
    assert exit_in_words(3) == "exit code 3"
    assert exit_in_words(-signal.SIGSEGV) == "Segmentation fault"
    assert exit_in_words(-signal.SIGKILL) == "Killed, perhaps out of memory"


def test_folders_of_killed_commands_are_removed_and_those_of_living_ones_are_not(tmp_path: Path) -> None:
    for name in ("dead", "alive"):
        (tmp_path / f"{PREFIX}{name}" / "pymp-1").mkdir(parents=True)
        (tmp_path / f"{PREFIX}{name}" / "lock").touch()
    (tmp_path / f"{PREFIX}mark").mkdir()  # somebody else's, without a lock
    with FileLock(tmp_path / f"{PREFIX}alive" / "lock"):
        remove_abandoned(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == [f"{PREFIX}alive", f"{PREFIX}mark"]


def test_whoever_starts_a_process_first_has_a_server_that_imported_the_engine() -> None:
    """Without, each worker would import for seconds what it needs; asked of a process that starts nothing."""
    asked = (
        "import core.supervisor as s; from multiprocessing import forkserver as f;"
        "print(set(s.PRELOADED) <= set(f._forkserver._preload_modules))"
    )
    done = subprocess.run([sys.executable, "-c", asked], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "True"

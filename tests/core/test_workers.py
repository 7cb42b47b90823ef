"""Work in processes: every item comes back, whatever becomes of the process that it was given to."""

import os
import signal
import time
from pathlib import Path

import pytest

from core.errors import BenchError
from core.workers import LostItem, in_workers, watched

pytestmark = pytest.mark.slow


def square_or_die(number: int, begin) -> int:
    begin(f"the square of {number}")
    if number == 3:
        os.kill(os.getpid(), signal.SIGABRT)
    begin("")
    if number == 5:
        os._exit(7)
    return number**2


def die_once(flag: Path, begin) -> str:
    begin(flag.name)
    if not flag.exists():
        flag.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return "done"


def sleep_for(seconds: float, begin) -> float:
    begin(f"{seconds} s")
    time.sleep(seconds)
    return seconds


def two_steps(seconds: float, begin) -> float:
    begin("one")
    time.sleep(seconds)
    begin("two")
    time.sleep(seconds)
    begin("")
    time.sleep(seconds)
    return seconds


def refuse(number: int) -> int:
    raise BenchError(f"{number} is refused")


def die(number: int) -> int:
    os.kill(os.getpid(), signal.SIGKILL)
    return number


@pytest.mark.parametrize("workers", [1, 3])
def test_an_item_that_kills_its_process_is_lost_with_its_step_and_the_others_are_not(workers):
    found = dict(watched(square_or_die, range(8), workers))
    assert found.pop(3) == LostItem("the square of 3", "crashed", "Aborted")
    assert found.pop(5) == LostItem("", "crashed", "exit code 7")
    assert found == {n: n**2 for n in (0, 1, 2, 4, 6, 7)}


def test_an_item_whose_process_was_killed_from_outside_is_tried_again(tmp_path):
    flags = [tmp_path / name for name in "abc"]
    assert dict(watched(die_once, flags, 2)) == dict.fromkeys(flags, "done")


def test_an_item_that_hangs_is_stopped():
    found = dict(watched(sleep_for, [0.0, 60.0], 2, seconds_per_step=1.0))
    assert found == {0.0: 0.0, 60.0: LostItem("60.0 s", "hung", "no end after 1 s")}


def test_the_limit_is_of_each_step_and_not_of_what_is_no_step():
    assert list(watched(two_steps, [0.8], 1, seconds_per_step=2.0)) == [(0.8, 0.8)]


def test_an_error_of_the_work_itself_is_raised():
    with pytest.raises(BenchError, match="is refused"):
        list(in_workers(refuse, [1, 2, 3], 2))


def test_work_that_may_not_be_lost_ends_in_one_line():
    with pytest.raises(BenchError, match=r"a worker process crashed \(Killed, perhaps out of memory\); fin"):
        list(in_workers(die, [1, 2], 2))

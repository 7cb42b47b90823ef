"""Nothing from data reaches a terminal raw: every command that prints it shows control characters escaped."""

import io
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from rich.markup import escape
from rich.panel import Panel
from rich.table import Table
from rich.text import Text
from typer.testing import Result

from core.cli.bars import Bars
from core.cli.screen import Screen
from core.visible import HIDDEN, LIMIT, visible_json, visible_line
from tests.command_line import BENCH, assert_one_line
from tests.made_runs import make_run, result

EVIL = "\x1b[2J\x1b]0;title\x07 \x9b31m \x7f \x08 \r \u202eabc\u2066 \u2028 \udc9b"
"""Clears the screen, sets the title, colours (C1), deletes, moves back, turns the line, half a character."""


def assert_harmless(text: str) -> None:
    assert not HIDDEN.search(text), repr(text)


def printed(draw: Callable[[Screen], object], *, terminal: bool = False) -> str:
    file = io.StringIO()
    draw(Screen(file=file, force_terminal=terminal, color_system="standard" if terminal else None))
    return file.getvalue()


def table(words: str) -> Table:
    made = Table("a", escape(words), title=escape(words))
    made.add_row(escape(words), Text(words))
    return made


@pytest.mark.parametrize(
    "draw",
    [
        lambda screen: screen.print(EVIL, markup=False),
        lambda screen: screen.print(escape(EVIL)),
        lambda screen: screen.print(Text(EVIL)),
        lambda screen: screen.print(table(EVIL)),
        lambda screen: screen.print(Panel(EVIL)),
        lambda screen: screen.print(EVIL, soft_wrap=True, markup=False),
        lambda screen: Bars(screen).say(EVIL),
        lambda screen: screen.json(json.dumps({EVIL: EVIL}, ensure_ascii=False)),
    ],
)
def test_what_a_terminal_would_obey_is_shown_whatever_way_it_is_printed(
    draw: Callable[[Screen], object],
) -> None:
    text = printed(draw)
    assert_harmless(text)
    assert "[2J" in text


def test_styles_and_moves_of_the_console_itself_still_work() -> None:
    assert "\x1b[31mred" in printed(lambda screen: screen.print("[red]red[/]"), terminal=True)


def test_a_progress_bar_shows_them_too() -> None:
    def draw(screen: Screen) -> None:
        with Bars(screen).task(EVIL, 1) as advance:
            advance(1, EVIL)

    assert_harmless(printed(draw))


def test_json_means_the_same_after_escaping() -> None:
    text = json.dumps({"id": EVIL}, ensure_ascii=False)
    assert_harmless(visible_json(text))
    assert json.loads(visible_json(text)) == {"id": EVIL}


@pytest.mark.parametrize("length", [LIMIT, LIMIT + 1, 10_000])
def test_a_long_line_is_cut_and_says_how_long_it_was(length: int) -> None:
    line = "x" * (length - 4) + "tail"
    shown = visible_line(line)
    assert len(shown) <= LIMIT
    assert ("tail" in shown) and ((f"({length:,} characters)" in shown) == (length > LIMIT))


def test_ids_and_captions_are_shown_escaped_by_the_commands_that_print_them(
    invoke: Callable[..., Result], tmp_path: Path
) -> None:
    name = "\x1b[31m\x9b31m"
    folder = tmp_path / "clips"
    folder.mkdir()
    captions = tmp_path / "captions.csv"
    captions.write_text(f"video,caption\n{name}a.mp4,\x1b[2J one\n{name}b.mp4,two\n", encoding="utf-8")
    for options in ((), ("--json",)):
        shown = invoke("data", "check", "folder", "--videos", folder, "--captions", captions, *options)
        assert_harmless(shown.stdout + shown.stderr)
        assert "31m" in shown.stdout
    assert_harmless(invoke("data", "add", "folder", "--videos", name, "--captions", name).stderr)


def test_keys_values_and_names_are_shown_escaped_in_errors(
    invoke: Callable[..., Result], tmp_path: Path
) -> None:
    (tmp_path / "evil.yaml").write_text(f"title: a\nblocks: []\n{json.dumps(EVIL[:9])}: 1\n")
    for arguments in (
        ("run", EVIL),
        ("run", "--set", f"{EVIL}=1"),
        ("run", "--set", EVIL),
        ("run", "--set", f"training.epochs={EVIL}"),
        ("run", "--methods", EVIL),
        ("run", tmp_path / "evil.yaml"),
        ("run", "--methods", "gaid", "--checkpoint", EVIL),
        ("audit", EVIL),
        ("compare", EVIL, EVIL),
        ("export", "trec", EVIL, "--out", tmp_path),
        ("parity", EVIL),
        ("data", "check", EVIL),
        ("time", "--methods", EVIL),
    ):
        shown = invoke(*arguments)
        assert_one_line(shown)
        assert_harmless(shown.stderr)


def test_names_in_runs_are_shown_escaped_by_report_and_compare(
    invoke: Callable[..., Result], tmp_path: Path
) -> None:
    for number in (1, 2):
        made = make_run(tmp_path, {"seeds.data": number}, [result(20.0 * number)])[0]
        manifest = json.loads((made.path / "manifest.json").read_text())
        (made.path / "manifest.json").write_text(json.dumps({**manifest, EVIL: EVIL}))
    shown = invoke("report", "--runs", tmp_path, "--against", EVIL)
    assert_harmless(shown.stdout + shown.stderr)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("run", "x" * 300), ("unknown experiment", "File name too long")),
        (("run", "--set", f"training.epochs={'9' * 5_000}"), ("training.epochs", "digits")),
        (("run", "--set", f"training.epochs={'9' * 50}"), ("training.epochs", "bits")),
        (("run", "--set", "training.epochs=" + "[" * 100_000), ("training.epochs", "recursion")),
        (("run", "--methods", "avigate", "--set", "config.prior_std=Infinity"), ("config.prior_std", "inf")),
        (("run", "--methods", "avigate", "--set", "config.prior_std=1e999"), ("config.prior_std", "inf")),
        (("run", "--methods", "avigate", "--set", "config.prior_std=NaN"), ("config.prior_std", "nan")),
    ],
)
def test_options_beyond_all_measure_are_one_short_line(
    arguments: tuple[str, ...], words: tuple[str, ...], invoke: Callable[..., Result]
) -> None:
    shown = invoke(*arguments, "--dry-run")
    assert_one_line(shown)
    assert any(word in shown.stderr for word in words)
    assert len(shown.stderr) <= LIMIT + len("bench: \n")


@pytest.mark.parametrize("closed", [">&-", "2>&-", "<&- >&- 2>&-"])
def test_a_closed_stream_costs_no_command(closed: str) -> None:
    ended = subprocess.run(
        ["bash", "-c", f'"$0" --help {closed}', BENCH], capture_output=True, text=True, check=False
    )
    assert (ended.returncode, ended.stderr) == (0, "")


def test_a_reader_who_leaves_early_stops_no_work(tmp_path: Path) -> None:
    script = (
        "from core.cli.shell import console\n"
        "for number in range(3_000): console.print('a line', number)\n"
        f"open({str(tmp_path / 'written')!r}, 'w').close()\n"
    )
    ended = subprocess.run(
        ["bash", "-o", "pipefail", "-c", '"$0" -c "$1" | head -1', sys.executable, script],
        capture_output=True,
        text=True,
        check=False,
        cwd=Path(__file__).parents[1],
        env=os.environ,
    )
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "a line 0\n", "")
    assert (tmp_path / "written").exists()


def test_json_for_programs_is_neither_cut_nor_wrapped(invoke: Callable[..., Result], tmp_path: Path) -> None:
    captions = tmp_path / "captions.csv"
    captions.write_text(f"video,caption\n{'x' * 1000},one\n", encoding="utf-8")
    for options in ((), ("--quick",)):
        place = ("--videos", tmp_path, "--captions", captions)
        shown = invoke("data", "check", "folder", *place, *options, "--json").stdout
        assert "x" * 1000 in json.loads(shown)["problems"]["missing"]

"""What the engine says reaches the console as it is, with its first word in colour."""

import io

from rich.console import Console

from core.cli.bars import Bars


def said(line: str, *, colours: bool = False, **tone: str) -> str:
    text = io.StringIO()
    Bars(Console(file=text, width=20, force_terminal=colours, color_system="standard")).say(line, **tone)
    return text.getvalue()


def test_a_line_is_neither_wrapped_nor_read_as_markup() -> None:
    line = "failed cell [red]with[/] a long message about a file"
    assert said(line) == line + "\n"


def test_the_first_word_alone_has_the_colour_of_the_tone() -> None:
    assert said("done cell", colours=True, tone="good") == "\x1b[32mdone\x1b[0m cell\n"
    assert said("failed cell", colours=True, tone="bad").startswith("\x1b[31mfailed\x1b[0m cell")

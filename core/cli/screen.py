"""The console: everything that is printed goes through it, and nothing in data can steer a terminal."""

import os
import sys
from collections.abc import Iterable
from typing import Any

from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment
from rich.text import Text

from core.visible import HIDDEN, visible, visible_json, visible_lines

PIPE_WIDTH = 180
"""Columns where the output is no terminal, so that tables in files and logs are not squeezed."""


class Screen(Console):
    """A console that shows control characters instead of sending them; its reader may leave early."""

    def __init__(self, *, stderr: bool = False, **options: Any) -> None:
        stream = sys.stderr if stderr else sys.stdout
        terminal = stream is not None and stream.isatty()
        super().__init__(stderr=stderr, width=None if terminal else PIPE_WIDTH, **options)

    def render_str(self, text: str, **options: Any) -> Text:
        """Text to print, or a cell of a table: escaped before its width is measured, long lines cut."""
        return super().render_str(visible_lines(text), **options)

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        """What is sent: whatever came here another way is escaped last of all."""
        for segment in super().render(renderable, options):
            if segment.control or not HIDDEN.search(segment.text):
                yield segment
            else:
                yield Segment(visible(segment.text), segment.style)

    def on_broken_pipe(self) -> None:
        """Goes on in silence: `bench report | head -1` still writes its files."""
        self.quiet = True
        silence()

    def json(self, text: str) -> None:
        """Prints JSON for programs, in one piece: no line of it is cut or wrapped."""
        self.print(Text(visible_json(text)), soft_wrap=True)


def silence() -> None:
    """Sends what is still written to standard output nowhere."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def open_closed_streams() -> None:
    """Gives a process that was started without standard streams (`bench methods >&-`) silent ones.

    Else the next file that is opened takes their number, and what libraries print goes into it.
    """
    while (number := os.open(os.devnull, os.O_RDWR)) <= 2:
        pass
    os.close(number)
    sys.stdout = sys.stdout or os.fdopen(1, "w", encoding="utf-8", closefd=False)
    sys.stderr = sys.stderr or os.fdopen(2, "w", encoding="utf-8", closefd=False)

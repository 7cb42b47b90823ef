"""How `bench` reads the words behind a command: an option that takes one value is given once."""

from collections import Counter
from collections.abc import Callable
from typing import Any

import typer
from typer.core import TyperCommand

LIST = "A,B"
"""Metavar of an option that takes several values with commas between them."""


class OnceCommand(TyperCommand):
    """A command that refuses an option given twice, of which one value would be lost without a word."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Reads the words as every command does, after counting its options."""
        if not ctx.resilient_parsing:
            *_, order = self.make_parser(ctx).parse_args(args=list(args))
            for parameter, times in Counter(order).items():
                takes_value = not getattr(parameter, "is_flag", True)  # arguments have no such word
                if times > 1 and takes_value and not parameter.multiple:
                    option = max(parameter.opts, key=len)
                    remedy = (
                        f"separate its values with commas, {option} {LIST}"
                        if parameter.metavar == LIST
                        else "keep one of them"
                    )
                    ctx.fail(f"{option} is given {times} times; {remedy}")
        return super().parse_args(ctx, args)


class Commands(typer.Typer):
    """A group of such commands."""

    def command(
        self, name: str | None = None, *, cls: type[TyperCommand] | None = None, **options: Any
    ) -> Callable[..., Any]:
        """Registers a function as a command."""
        return super().command(name, cls=cls or OnceCommand, **options)

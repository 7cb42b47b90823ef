"""The commands of `bench`, put together."""

import signal
import sys

import typer

from core.cli.audit import audit
from core.cli.axis_options import AxesCommand
from core.cli.commands import Commands
from core.cli.data import data_app
from core.cli.doctor import doctor
from core.cli.evaluate import evaluate_
from core.cli.export import export_app
from core.cli.hints import option_line
from core.cli.index import index_
from core.cli.methods import methods_
from core.cli.parity import parity
from core.cli.report import compare, report
from core.cli.run import run
from core.cli.screen import open_closed_streams
from core.cli.search import search_
from core.cli.shell import print_error
from core.cli.time import time_
from core.cli.version import version

app = Commands(
    no_args_is_help=True,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Train, score and compare text-video retrieval methods with sound.\n\nExample: [bold]bench run[/]",
)
app.callback()(version)
app.command(cls=AxesCommand)(run)
app.command(name="evaluate")(evaluate_)
app.command(name="index")(index_)
app.command(name="search")(search_)
app.command()(report)
app.command()(compare)
app.add_typer(data_app, name="data")
app.add_typer(export_app, name="export")
app.command()(parity)
app.command()(audit)
app.command(name="time")(time_)
app.command(name="methods")(methods_)
app.command()(doctor)


def main() -> None:
    """Runs the command that the words after `bench` name, and exits with its code."""
    open_closed_streams()
    try:
        code = app(standalone_mode=False)
    except typer.TyperException as error:  # an option or value that typer refuses; no message after its help
        code = error.exit_code
        if message := option_line(error) or error.format_message():
            print_error(message)
    except (KeyboardInterrupt, typer.Abort):  # between two lines of the command line's own
        code = 130
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # all is said; Ctrl-C would only disturb the end
    sys.exit(code)

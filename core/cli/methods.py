"""`bench methods`: which methods there are."""

from rich.table import Table

from core.cli import shell
from core.cli.shell import friendly


@friendly
def methods_() -> None:
    """List the methods with their parts and papers.

    Example: bench methods
    """
    from core.axes import fields_in
    from core.method import registered_methods
    from core.running.axes import axis_names

    table = Table("name", "title", "parts", "axes", "paper")
    for name, method in sorted(registered_methods().items()):
        config = method.Config()
        fields = fields_in("", method.Config)
        parts = " · ".join(str(getattr(config, field.name)) for field in fields if field.axis)
        table.add_row(
            name,
            method.title,
            parts,
            " ".join(axis.replace("_", "-") for axis in axis_names(name)),
            method.paper,
        )
    shell.console.print(table)

"""`bench methods`: which methods there are."""

from rich.table import Table

from core.cli import shell
from core.cli.shell import friendly


@friendly
def methods_() -> None:
    """List the methods with their parts and papers.

    Example: bench methods
    """
    from core.method import registered_methods
    from core.running.axes import AXES, has_axis

    table = Table("name", "title", "parts", "axes", "paper")
    for name, method in sorted(registered_methods().items()):
        config = method.Config()
        parts = " · ".join(
            str(getattr(config, part))
            for part in ("enrichment", "fusion", "pooling", "perturbation")
            if hasattr(config, part)
        )
        table.add_row(
            name,
            method.title,
            parts,
            " ".join(a.replace("_", "-") for a in AXES if has_axis(method, a)),
            method.paper,
        )
    shell.console.print(table)

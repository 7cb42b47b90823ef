"""`bench.toml`: what is said once about this machine.

Two files may hold it: the one of the project (in the nearest folder, from the working directory upwards,
that has a `bench.toml` or a `pyproject.toml`) and the one in the platform's configuration folder. Where
both name the same thing the project's counts.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import platformdirs
import tomlkit
from filelock import FileLock
from tomlkit.exceptions import TOMLKitError

from core.errors import BenchError
from core.paths import written_whole

FILE = "bench.toml"


def settings_files() -> list[Path]:
    """Where a `bench.toml` may lie, the one that counts first; new settings go into the first."""
    folders = [Path.cwd(), *Path.cwd().parents]
    project = [f for f in folders if (f / FILE).is_file() or (f / "pyproject.toml").is_file()]
    return [
        folder / FILE for folder in (*project[:1], Path(platformdirs.user_config_dir("av-retrieval-bench")))
    ]


def read_settings(section: str) -> dict[str, Any]:
    """The tables of a section by name, e.g. `[data.msrvtt]` of section `data`, from both files.

    Raises `BenchError` where a file cannot be read or is no TOML.
    """
    found: dict[str, Any] = {}
    for file in reversed(settings_files()):
        tables = _read(file).get(section, {})
        if not isinstance(tables, Mapping):
            raise BenchError(f"{file}: {section} is no table; write [{section}.NAME]")
        found |= tables
    return found


def write_setting(section: str, name: str, values: Mapping[str, str]) -> Path:
    """Puts the table `[section.name]` into the first file, its other contents left as they are.

    Returns the file. Raises `BenchError` where it cannot be read or written.
    """
    file = settings_files()[0]
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(file.with_name(f".{FILE}.lock")):
            document = _read(file)
            tables = document.setdefault(section, tomlkit.table(is_super_table=True))
            table = tomlkit.table()
            table.update(values)
            tables[name] = table
            with written_whole(file) as temporary:
                temporary.write_text(tomlkit.dumps(document), encoding="utf-8")
    except OSError as error:
        raise BenchError(
            f"cannot write {file} ({error.strerror}); run the command in another folder"
        ) from error
    return file


def _read(file: Path) -> tomlkit.TOMLDocument:
    if not file.exists():
        return tomlkit.document()
    try:
        return tomlkit.parse(file.read_text(encoding="utf-8-sig"))
    except (OSError, ValueError, TypeError, LookupError, RecursionError, TOMLKitError) as error:
        raise BenchError(f"{file}: {' '.join(str(error).split())}; fix or delete it") from error

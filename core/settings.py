"""`bench.toml`: what is said once about a project, or about this account.

Two files may hold it: the project's, in the nearest folder, from the working directory upwards, that has a
`bench.toml`, a `pyproject.toml` or a folder `runs`, and in the working directory where none has; and the
account's, in the platform's configuration folder. Where both name the same thing the project's counts.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import platformdirs
import tomlkit
from filelock import FileLock
from tomlkit.exceptions import TOMLKitError

from core.errors import BenchError
from core.paths import written_whole

SETTINGS_FILE = "bench.toml"


def project_file() -> Path:
    """Where the project's `bench.toml` is, or will be."""
    here = Path.cwd()
    marks = (Path.is_file, SETTINGS_FILE), (Path.is_file, "pyproject.toml"), (Path.is_dir, "runs")
    for folder in (here, *here.parents):
        if any(there(folder / mark) for there, mark in marks):
            return folder / SETTINGS_FILE
    return here / SETTINGS_FILE


def account_file() -> Path:
    """Where the account's `bench.toml` is, or will be."""
    return Path(platformdirs.user_config_dir("av-retrieval-bench")) / SETTINGS_FILE


def settings_files() -> list[Path]:
    """Where a `bench.toml` may be, the one that counts first."""
    return list(dict.fromkeys((project_file(), account_file())))


def read_settings(section: str) -> dict[str, Any]:
    """The tables of a section by name, e.g. `[data.msrvtt]` of section `data`, from both files.

    Raises `BenchError` where a file cannot be read or is no TOML.
    """
    return {name: table for file in reversed(settings_files()) for name, table in tables_in(file, section)}


def find_setting(section: str, name: str) -> tuple[Path, Any] | None:
    """The file that counts for the table `[section.name]`, and the table; None where neither has it."""
    found = ((file, dict(tables_in(file, section))) for file in settings_files())
    return next(((file, tables[name]) for file, tables in found if name in tables), None)


def tables_in(file: Path, section: str) -> list[tuple[str, Any]]:
    """The tables of a section of one file, by name; raises as `read_settings`."""
    return list(_section(_read(file), file, section).items())


def write_setting(section: str, name: str, values: Mapping[str, str], file: Path | None = None) -> Path:
    """Puts the table `[section.name]` into a file, the project's unless given, and returns that file.

    What else it holds stays as it is. Raises `BenchError` where it cannot be read or written.
    """
    file = file or project_file()
    with _changed(file) as document:
        _section(document, file, section)
        tables = document.setdefault(section, tomlkit.table(is_super_table=True))
        table = tomlkit.table()
        table.update(values)
        tables[name] = table
    return file


def remove_setting(section: str, name: str, file: Path) -> None:
    """Takes the table `[section.name]` out of a file; raises as `write_setting`."""
    with _changed(file) as document:
        del document[section][name]
        if not document[section]:
            del document[section]


@contextmanager
def _changed(file: Path) -> Iterator[tomlkit.TOMLDocument]:
    """The content of a file, to be changed; it is written when the block ends without an error."""
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(file.with_name(f".{SETTINGS_FILE}.lock")):
            document = _read(file)
            yield document
            with written_whole(file) as temporary:
                temporary.write_text(tomlkit.dumps(document), encoding="utf-8")
    except OSError as error:
        raise BenchError(
            f"cannot write {file} ({error.strerror}); run the command in another folder, or pass --global"
        ) from error


def _section(document: Mapping[str, Any], file: Path, section: str) -> Mapping[str, Any]:
    """The tables of a section; raises `BenchError` where it is something else."""
    tables = document.get(section, {})
    if not isinstance(tables, Mapping):
        raise BenchError(f"{file}: {section} is no table; write [{section}.NAME]")
    return tables


def _read(file: Path) -> tomlkit.TOMLDocument:
    if not file.exists():
        return tomlkit.document()
    try:
        return tomlkit.parse(file.read_text(encoding="utf-8-sig"))
    except (OSError, ValueError, TypeError, LookupError, RecursionError, TOMLKitError) as error:
        raise BenchError(f"{file}: {' '.join(str(error).split())}; fix or delete it") from error

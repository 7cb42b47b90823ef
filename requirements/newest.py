"""Installs the newest of everything, lock and upper bounds aside, and says whether this project runs.

Usage: newest.py UV PYTHON FOLDER [REQUIREMENT ...]. The environment is made in FOLDER with PYTHON; a
requirement, e.g. torch==2.11.0, narrows the choice. Prints a table for docs/versions.md; exit code 1 where
parity or the tiny world fails. Needs the standard library alone.
"""

import re
import shutil
import subprocess
import sys
import time
import tomllib
from datetime import UTC, datetime
from pathlib import Path

ROOT = Path(__file__).parents[1]
SHOWN = (
    "torch",
    "torchvision",
    "torchaudio",
    "transformers",
    "open-clip-torch",
    "av",
    "numpy",
    "scipy",
    "pandas",
)
"""Packages of the table; the others are listed only where they differ from the lock."""
CHECKS = {
    "parity": ["parity", "tests/golden"],
    "tiny world": [
        *("run", "--datasets", "avworld-tiny", "--methods", "gaid,clip4clip", "--set", "training.epochs=1"),
        *("--runs", "RUNS"),
    ],
}
"""What must end with exit code 0, by its name in the table."""


def main(uv: str, python: str, folder: Path, extra: list[str]) -> int:
    """Installs, runs the checks and prints the table; the exit code."""
    interpreter = str(folder / "bin" / "python")
    runs = folder / "runs"
    subprocess.run([uv, "venv", "--quiet", "--clear", "--python", python, folder], check=True)
    pip = [uv, "pip", "install", "--quiet", "--python", interpreter]
    subprocess.run([*pip, *unbounded(), *extra], cwd=ROOT, check=True)
    subprocess.run([*pip, "--no-deps", "--no-build-isolation", "--editable", "."], cwd=ROOT, check=True)
    installed = versions(subprocess.check_output([uv, "pip", "freeze", "--python", interpreter], text=True))
    locked = versions((ROOT / "requirements" / "run.txt").read_text())
    verdicts = {}
    for name, command in CHECKS.items():
        start = time.monotonic()
        words = [str(runs) if word == "RUNS" else word for word in command]
        code = subprocess.run([folder / "bin" / "bench", *words], cwd=ROOT, check=False).returncode
        outcome = "passes" if code == 0 else f"fails, exit code {code}"
        verdicts[name] = f"{outcome}, {time.monotonic() - start:.0f} s"
    shutil.rmtree(runs, ignore_errors=True)
    number = subprocess.check_output(
        [interpreter, "-c", "import platform; print(platform.python_version())"], text=True
    )
    print(f"\n{datetime.now(UTC):%Y-%m-%d}, Python {number.strip()}\n")
    print("| | lock | installed |\n|---|---|---|")
    for name in sorted(installed, key=lambda name: (name not in SHOWN, name)):
        if name in SHOWN or (name in locked and installed[name][0] not in locked[name]):
            print(f"| {name} | {' or '.join(locked.get(name, ['–']))} | {installed[name][0]} |")
    for name, verdict in verdicts.items():
        print(f"| {name} | | {verdict} |")
    return int(any(verdict.startswith("fails") for verdict in verdicts.values()))


def unbounded() -> list[str]:
    """The project's dependencies and its build's, without their upper bounds."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    stated = [*project["project"]["dependencies"], *project["build-system"]["requires"]]
    return [re.sub(r",?<[^,]+", "", requirement) for requirement in stated]


def versions(lines: str) -> dict[str, list[str]]:
    """Package versions by name of `name==version` lines; several where a lock has one per Python."""
    found: dict[str, list[str]] = {}
    for name, number in re.findall(r"^([A-Za-z0-9._-]+)==([^\s;]+)", lines, re.MULTILINE):
        found.setdefault(re.sub(r"[-_.]+", "-", name).lower(), []).append(number)
    return found


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2], Path(sys.argv[3]).absolute(), sys.argv[4:]))

"""`bench export hub`: a finished run as a model repository of the Hugging Face Hub.

The repository is itself a run folder without what may not be passed on: captions and names of videos
(queries.parquet, top.parquet, gates) stay here, and so does the command with its paths. `load_run`, `bench
evaluate` and `bench search` take it as it is.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from shutil import copyfile

import yaml
from huggingface_hub import HfApi, eval_result_entries_to_yaml, get_token
from huggingface_hub.constants import EVAL_RESULTS_FOLDER
from huggingface_hub.errors import HfHubHTTPError, HFValidationError
from huggingface_hub.utils import validate_repo_id  # type: ignore[attr-defined]

from core.errors import BenchError
from core.paths import written_whole
from core.run_files import CHECKPOINT, verify
from core.runs import RunDirectory
from reports.collect import read_run
from reports.model_card import model_card, result_entries
from reports.write import make_folder

PUBLIC_FILES = ("metrics.json", "epochs.jsonl", CHECKPOINT)
"""Files of a run that hold nothing of the data but figures; spec, manifest and status are written anew."""
PRIVATE_KEYS = ("command",)
"""Of the manifest: paths of this machine."""


@dataclass(frozen=True)
class HubExport:
    """What a repository is to hold."""

    run: str
    """Name of the run's folder."""
    texts: Mapping[str, str]
    """Name -> content of the files that are written for it."""
    copies: Mapping[str, Path]
    """Name -> file of the run."""
    notes: tuple[str, ...]
    """What its owner should know, in lines."""

    def sizes(self) -> dict[str, int]:
        """Bytes of each file."""
        texts = {name: len(text.encode()) for name, text in self.texts.items()}
        return dict(
            sorted((texts | {name: path.stat().st_size for name, path in self.copies.items()}).items())
        )

    def write(self, folder: Path) -> list[Path]:
        """Writes the files into a folder, each whole or not at all; returns the paths.

        Raises `BenchError` for a folder that holds a run's captions, for the run itself is no repository.
        """
        if (folder / "queries.parquet").exists():
            raise BenchError(f"{folder} is a run with its captions; choose another folder with --out")
        make_folder(folder)
        for name in self.sizes():
            path = folder / name
            make_folder(path.parent)
            with written_whole(path) as temporary:
                if name in self.copies:
                    copyfile(self.copies[name], temporary)
                else:
                    temporary.write_text(self.texts[name], encoding="utf-8")
        return [folder / name for name in self.sizes()]


def hub_export(folder: Path, dataset: str | None, licence: str | None) -> HubExport:
    """What the repository of a finished run holds; nothing is written.

    `dataset` is the data set's identifier on the Hub. Raises `BenchError` where the run is not finished or
    damaged, and for one that holds the authors' weights.
    """
    directory = RunDirectory(folder)
    run = read_run(directory)
    if run.spec.checkpoint:
        raise BenchError(
            f"{run.name} started from the weights in {Path(run.spec.checkpoint).name}, which are their "
            "authors'; export a run that was trained here"
        )
    present = [name for name in PUBLIC_FILES if (folder / name).is_file()]
    if CHECKPOINT not in present:
        raise BenchError(f"{folder} has no {CHECKPOINT}; run the cell again")
    verify(directory, {name: sums for name, sums in run.manifest.files.items() if name == CHECKPOINT})
    manifest = dict(directory.read_json("manifest.json"))
    manifest["files"] = {name: sums for name, sums in manifest.get("files", {}).items() if name in present}
    kept = {key: value for key, value in manifest.items() if key not in PRIVATE_KEYS}
    entries = eval_result_entries_to_yaml(result_entries(run, dataset or run.spec.dataset))
    listing = f"{EVAL_RESULTS_FOLDER}/{run.spec.dataset}.yaml"
    texts = {
        "README.md": model_card(run, licence),
        listing: yaml.safe_dump(entries, sort_keys=False, allow_unicode=True),
        "spec.json": as_text(directory.read_json("spec.json")),
        "status.json": as_text(directory.status()),
        "manifest.json": as_text(kept),
    }
    notes = ["captions and names of videos stay here: queries.parquet, top.parquet and gates are left out"]
    if dataset is None:
        notes.append(
            f"'{run.spec.dataset}' is no data set of the Hub, so its page will not list the figures; "
            "name one with --dataset-id OWNER/NAME"
        )
    if licence is None:
        notes.append("the card names no licence; choose one with --licence, e.g. apache-2.0")
    return HubExport(run.name, texts, {name: folder / name for name in present}, tuple(notes))


def as_text(content: object) -> str:
    """JSON as run folders have it."""
    return json.dumps(content, indent=1)


def checked_id(name: str, option: str) -> str:
    """An identifier of the Hub; raises `BenchError` for text that is none."""
    try:
        validate_repo_id(name)
    except HFValidationError as error:
        raise BenchError(f"{option} '{name}' is no identifier of the Hub; write OWNER/NAME") from error
    if name.count("/") != 1:
        raise BenchError(f"{option} '{name}' has no owner; write OWNER/NAME")
    return name


def require_token() -> str:
    """The user's own token of the Hub; raises `BenchError` where there is none."""
    token = get_token()
    if not token:
        raise BenchError("no token of the Hub on this machine; log in with `hf auth login`, or set HF_TOKEN")
    return token


def push(files: Sequence[Path], folder: Path, repository: str, token: str, *, private: bool) -> str:
    """Uploads these files of a folder, and no others in it, to a repository of the user; returns its address.

    Raises `BenchError` where the Hub refuses or cannot be reached.
    """
    hub = HfApi(token=token)
    try:
        address = hub.create_repo(repository, private=private, exist_ok=True)
        hub.upload_folder(
            repo_id=repository,
            folder_path=folder,
            allow_patterns=[file.relative_to(folder).as_posix() for file in files],
            commit_message="Run of av-retrieval-bench",
        )
    except (HfHubHTTPError, OSError) as error:
        reason = next(iter(str(error).splitlines()), type(error).__name__)
        raise BenchError(
            f"nothing more was uploaded to {repository}: {reason}; {folder} holds the files, push it again"
        ) from error
    return str(address)

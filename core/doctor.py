"""What this installation has and lacks: one screen, and a verdict for scripts.

A finding is `missing` where something that is needed is not there: a library, a decoder, the shipped
weights, a cache that can be written, and, as soon as a data set of the user's own is configured, its files
and the default encoders. All else that is not there is a `note`.
"""

import os
import platform
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import av
import psutil
import torch

from core.datasets import all_datasets, load_dataset
from core.datasets.locations import SECTION as DATA_SECTION
from core.datasets.locations import find_location
from core.datasets.missing import absence
from core.encoders.entry import registered_encoders
from core.encoders.published import (
    WEIGHTS_SECTION,
    Published,
    is_offline,
    missing,
    published_encoders,
    weights_folder,
)
from core.errors import BenchError
from core.lock import LOCK, differences
from core.paths import cache_root, require_writable
from core.progress import Silent, bytes_in_words
from core.settings import read_settings
from core.spec import RunSpec
from core.versions import package_version

FindingState = Literal["ok", "note", "missing"]

CHECKED_PACKAGES = ("torch", "torchvision", "torchaudio", "open_clip_torch", "transformers", "av")
"""Libraries whose versions matter."""
DECODERS = ("h264", "hevc", "mpeg4", "vp8", "vp9", "aac", "mp3", "opus", "vorbis")
"""Codecs of the data sets' media."""
LITTLE_SPACE = 30e9
"""Bytes of free disk below which the store of a real data set may not fit."""


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at."""

    subject: str
    """What it is."""
    state: FindingState
    """Whether it is there, or needed and not there."""
    value: str
    """What was found."""
    fix: str = ""
    """What to do about it."""


def examine() -> list[Finding]:
    """Looks at everything once; nothing is downloaded, generated or decoded."""
    findings = [*software(), *hardware_findings(), *disk()]
    try:
        settings_files_are_readable()
    except BenchError as error:
        return [*findings, Finding("settings", "missing", str(error))]
    return [*findings, *datasets(), *encoder_findings()]


def settings_files_are_readable() -> None:
    """Raises `BenchError` where a `bench.toml` cannot be read."""
    for section in (DATA_SECTION, WEIGHTS_SECTION):
        read_settings(section)


def software() -> Iterator[Finding]:
    """Python, the libraries, and the decoders of PyAV's FFmpeg."""
    yield Finding("Python", "ok", platform.python_version())
    versions = {name: package_version(name) for name in CHECKED_PACKAGES}
    absent = [name for name, found in versions.items() if found == "absent"]
    listed = ", ".join(f"{name} {found}" for name, found in versions.items())
    yield Finding("libraries", "missing" if absent else "ok", listed, "make setup" if absent else "")
    yield compared_with_lock()
    unknown = [name for name in DECODERS if name not in av.codecs_available]
    if unknown:
        yield Finding("FFmpeg of PyAV", "missing", f"no decoder for {', '.join(unknown)}", "pip install av")
        return
    numbers = {name: ".".join(map(str, number)) for name, number in av.library_versions.items()}
    shown = ("libavformat", "libavcodec", "libswscale", "libswresample")
    yield Finding("FFmpeg of PyAV", "ok", ", ".join(f"{name} {numbers[name]}" for name in shown))


def compared_with_lock() -> Finding:
    """Whether what is installed is what the lock pins; other versions within the bounds may work too."""
    if not LOCK.exists():
        return Finding("lock", "note", "none: this is no checkout; pip chose versions within the bounds")
    try:
        different = list(differences())
    except ValueError as error:
        return Finding("lock", "missing", str(error), "git checkout requirements, or make lock")
    if different:
        return Finding("lock", "note", f"not the lock's: {', '.join(different)}", "make setup")
    return Finding("lock", "ok", f"what is installed is what {LOCK.parent.name}/{LOCK.name} pins")


def hardware_findings() -> Iterator[Finding]:
    """Cores, memory, driver and GPUs."""
    memory = psutil.virtual_memory()
    total, available = bytes_in_words(memory.total), bytes_in_words(memory.available)
    yield Finding("processor", "ok", f"{os.cpu_count()} cores, {total} of memory, {available} available")
    driver = nvidia_driver()
    if not torch.cuda.is_available():
        cuda = f"torch was built for CUDA {torch.version.cuda}" if torch.version.cuda else "torch has no CUDA"
        fix = "" if driver is None else "install a torch that fits the driver"
        found = "no NVIDIA driver" if driver is None else f"driver {driver}, but torch cannot use it"
        yield Finding("GPU", "note", f"none: {found}; {cuda}; runs use the processor", fix)
        return
    for index in range(torch.cuda.device_count()):
        properties = torch.cuda.get_device_properties(index)
        yield Finding(
            f"GPU {index}",
            "ok",
            f"{properties.name}, {bytes_in_words(properties.total_memory)}, CUDA {torch.version.cuda}, "
            f"driver {driver}",
        )


def nvidia_driver() -> str | None:
    """Version of the NVIDIA driver, None where there is none."""
    program = shutil.which("nvidia-smi")
    if program is None:
        return None
    command = [program, "--query-gpu=driver_version", "--format=csv,noheader"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=20)
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.split("\n")[0].strip() or None


def datasets() -> Iterator[Finding]:
    """Each data set: not configured, whole, or what is wrong with it."""
    for name, entry in all_datasets().items():
        fix = f"bench data add {name} --root DIR"
        try:
            ready = entry.ready()
        except BenchError as error:  # the cache, which has a finding of its own
            yield Finding(name, "note", str(error))
            continue
        if not entry.layout:
            yield Finding(name, "ok", "generated" if ready else "will be generated when it is first used")
        elif ready:
            yield health(name)
        elif find_location(name) is None or "BENCH_DATA" in os.environ:
            yield Finding(name, "note", "not configured", fix)
        else:
            yield Finding(name, "missing", "its folders are gone", fix)


def health(name: str) -> Finding:
    """How a configured data set is: its files are looked for and none is opened."""
    try:
        dataset = load_dataset(name, Silent(), workers=1, options={"missing": "count-as-miss"})
    except BenchError as error:
        return Finding(name, "missing", str(error), f"bench data check {name}")
    counts = ", ".join(f"{split} {len(part.videos):,}" for split, part in dataset.splits.items())
    if lost := absence(dataset):
        return Finding(name, "missing", f"{counts}; {lost}", f"bench data check {name}")
    return Finding(name, "ok", f"{counts} videos")


def encoder_findings() -> Iterator[Finding]:
    """The shipped weights, and where the published ones lie."""
    own = [entry for entry in registered_encoders().values() if not isinstance(entry, Published)]
    try:
        yield Finding("shipped weights", "ok", ", ".join(sorted({entry.place().name for entry in own})))
    except BenchError as error:
        yield Finding("shipped weights", "missing", str(error))
    configured = any(entry.layout and entry.ready() for entry in all_datasets().values())
    defaults = {RunSpec.model_fields[field].default for field in ("backbone", "audio_encoder")}
    for name, entry in published_encoders().items():
        place = weights_folder(entry)
        if place is not None:
            yield Finding(name, "ok", str(place))
        elif configured and name in defaults and is_offline():
            yield Finding(name, "missing", "not on this machine, and downloads are off", missing(entry))
        else:
            way = "downloads are off" if is_offline() else f"downloaded on first use: {entry.repositories[0]}"
            yield Finding(name, "note", f"not on this machine; {way}")


def disk() -> Iterator[Finding]:
    """The cache, and the space on its disk."""
    try:
        root = cache_root()
        require_writable(root)
    except BenchError as error:
        yield Finding("cache", "missing", str(error))
        return
    free = shutil.disk_usage(root).free
    state: FindingState = "ok" if free > LITTLE_SPACE else "note"
    fix = "" if free > LITTLE_SPACE else "a store of MSR-VTT takes about 30 GB; set BENCH_CACHE"
    yield Finding("cache", state, f"{root}, {bytes_in_words(free)} free", fix)


def all_found(findings: list[Finding]) -> bool:
    """Whether nothing that is needed is missing."""
    return all(finding.state != "missing" for finding in findings)

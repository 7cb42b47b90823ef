"""A folder of the tiny world's clips, and its index under the trained run."""

import shutil
from pathlib import Path

import pytest

from core import index_videos, load_run
from core.running.cells import RunInputs
from core.running.trained import TrainedRun
from core.runs import RunDirectory

CLIPS = 6


@pytest.fixture(scope="package")
def run(trained_run: RunDirectory) -> TrainedRun:
    return load_run(trained_run.path)


@pytest.fixture(scope="package")
def clips(materials: RunInputs, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Some clips, one of them in a folder below, a file of text and a video that does not decode."""
    folder = tmp_path_factory.mktemp("clips")
    (folder / "below").mkdir()
    for number, video in enumerate(materials.dataset.splits["test"].videos[:CLIPS]):
        place = folder / "below" if number == 0 else folder
        shutil.copy(video.path, place / f"clip-{number}{video.path.suffix}")
    (folder / "notes.txt").write_text("no video")
    (folder / "broken.mp4").write_bytes(b"no video")
    return folder


@pytest.fixture(scope="package")
def built(run: TrainedRun, clips: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The index of the clips; nobody changes it."""
    out = tmp_path_factory.mktemp("built") / "index"
    index_videos(run, clips, out)
    return out

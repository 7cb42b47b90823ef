"""A small world of ideas: generated, decoded again, read as a data set, and trained on."""

from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import av
import numpy as np
import pytest
from numpy.typing import NDArray

from core.dataset import Dataset
from core.datasets.avworld.ideas_ceilings import FEW_FRAMES, PIXELS_ONLY
from core.datasets.avworld.reader import load_world, read_scripts
from core.datasets.avworld.script import ScriptedClip
from core.datasets.avworld.world import WORLDS, IdeasWorld
from core.progress import Silent
from core.resolving import resolve
from core.running.cells import run_cell
from core.runs import open_run
from reports.report import write_report

pytestmark = pytest.mark.slow

NAME = "avworld-ideas"
SMALL = IdeasWorld(train=40, val=20, test=60)


@pytest.fixture(scope="module", autouse=True)
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Dataset]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("BENCH_CACHE", str(tmp_path_factory.mktemp("cache")))
        patch.setitem(WORLDS, NAME, SMALL)
        yield load_world(NAME, Silent(), workers=1)


@pytest.fixture(scope="module")
def quartets(world: Dataset) -> dict[str, list[tuple[ScriptedClip, NDArray[np.uint8]]]]:
    """The scripts and decoded pictures of the groups of four in the test split."""
    found = defaultdict(list)
    for clip, video in zip(read_scripts(NAME, "test"), world.splits["test"].videos, strict=True):
        if clip.group != clip.id:
            with av.open(str(video.path)) as file:
                pixels = np.stack([frame.to_ndarray(format="rgb24") for frame in file.decode(video=0)])
            found[clip.group].append((clip, pixels))
    return found


def test_the_data_set_has_the_captions_strata_groups_and_ceilings_of_its_scripts(world: Dataset) -> None:
    assert set(world.splits) == {"train", "val", "test"}
    for name, split in world.splits.items():
        clips = read_scripts(NAME, name)
        assert split.captions == tuple(caption.text for clip in clips for caption in clip.captions)
        assert [video.group for video in split.videos] == [clip.group for clip in clips]
        assert [truth.stratum for truth in split.truth or ()] == [clip.stratum for clip in clips]
        assert all(video.path.is_file() for video in split.videos)
        several = [split.video_of_caption.count(v) for v in range(len(split.videos))]
        assert several == [3 if clip.stratum == "several" else 1 for clip in clips]
    assert set(world.ceilings) == {"val", "test"}
    assert set(world.ceilings["test"]) == {FEW_FRAMES, PIXELS_ONLY}
    assert set(world.ceilings["test"][PIXELS_ONLY]) == {"all", *SMALL.shares}


def test_half_of_the_clips_have_a_sound_track_as_the_scripts_say(world: Dataset) -> None:
    for clip, video in zip(read_scripts(NAME, "test"), world.splits["test"].videos, strict=True):
        with av.open(str(video.path)) as file:
            assert bool(file.streams.audio) == bool(clip.sounds)


def test_decoded_brief_clips_differ_while_the_object_is_shown_and_hardly_elsewhere(
    quartets: dict[str, list[tuple[ScriptedClip, NDArray[np.uint8]]]],
) -> None:
    groups = [group for group in quartets.values() if group[0][0].stratum == "brief"]
    assert groups
    for group in groups:
        brief = group[0][0].picture.segments[1]
        shown = np.zeros(32, dtype=bool)
        shown[brief.start : brief.end] = True
        one, *others = (pixels.astype(int) for _, pixels in group)
        for other in others:
            distance = np.abs(one - other).mean(axis=(1, 2, 3))
            assert distance[shown].min() > 5 * distance[~shown].max()


def test_decoded_one_word_clips_all_differ(
    quartets: dict[str, list[tuple[ScriptedClip, NDArray[np.uint8]]]],
) -> None:
    groups = [group for group in quartets.values() if group[0][0].stratum == "one-word"]
    assert groups
    for group in groups:
        assert len({pixels.tobytes() for _, pixels in group}) == 4


@pytest.mark.parametrize("method", ["tmass", "gaid"])
def test_a_short_run_scores_every_stratum(method: str, tmp_path: Path) -> None:
    spec = resolve(method, NAME, {"training.epochs": 1, "evaluation.rescoring": ["none"]})
    assert spec.evaluation.conditions == ("leak-free",)
    directory = open_run(tmp_path, spec, "00000000")
    run_cell(spec, directory, Silent())
    entry = next(e for e in directory.read_json("metrics.json")["results"] if e["direction"] == "t2v")
    assert set(entry["strata"]) == set(SMALL.shares)
    assert entry["protocol"]["gallery"] == 60
    assert entry["protocol"]["data"]["captions per video"] == "1; in the stratum several 3"
    report = write_report(tmp_path, tmp_path / "report", None, tmp_path / "none", html=False, stratum="brief")
    table = next(table for table in report.tables if "per stratum" in table.title)
    assert [row[1] for row in table.rows[1:]] == [f"ceiling: {name}" for name in (FEW_FRAMES, PIXELS_ONLY)]

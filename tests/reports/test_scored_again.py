"""What is told of a run by scoring its checkpoint again; whole runs are in tests/methods/test_plug_in.py."""

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from core.dataset import Split, Video
from core.running.copies import same_files, same_frames
from reports.audit import again
from reports.audit.again import ScoredAgain
from reports.audit.protocols import RunSubject
from reports.collect import read_run
from tests.made_runs import add_result, make_run, result

SCORES = torch.rand(30, 15, generator=torch.Generator().manual_seed(0))
PAIRING = torch.arange(30) // 2


@pytest.fixture(scope="module")
def subject(tmp_path_factory: pytest.TempPathFactory) -> RunSubject:
    root = tmp_path_factory.mktemp("runs")
    directory, _ = make_run(root, {"evaluation.conditions": ["leak-free"]}, [result(10.0)])
    add_result(directory, SCORES, PAIRING)
    return RunSubject.of(read_run(directory), "leak-free")


def scored(
    plain: Tensor = SCORES, /, records: dict[str, Any] | None = None, **variants: Tensor
) -> ScoredAgain:
    """What the other process would have found; all variants agree unless given."""
    reverse = torch.arange(29, -1, -1)
    tensors = {"pairing": PAIRING, "query": torch.arange(30)}
    tensors |= {f"{again.PLAIN}/query": torch.arange(30), f"{again.PLAIN}/scores": plain}
    for name in ("queries shuffled", "other keys", "videos in another order"):
        scores = variants.get(name.replace(" ", "_"), plain[reverse])
        tensors |= {f"{name}/query": reverse, f"{name}/scores": scores}
    told = {"code": "other", "sound": False, "gallery": False, "ceiling": None}
    return ScoredAgain({**told, **(records or {})}, tensors)


def test_a_checkpoint_that_scores_as_it_did_passes(subject: RunSubject) -> None:
    assert again.same_ranks(subject, scored()).verdict == "pass"
    assert again.independence(subject, scored()).verdict == "pass"


def test_scores_that_are_not_the_stored_ones_are_named(subject: RunSubject) -> None:
    other = SCORES.clone()
    other[7, PAIRING[7]] += 0.25
    found = again.same_ranks(subject, scored(other))
    assert found.verdict == "fail"
    assert "query 7 with its own video differs by 0.25" in found.meaning
    assert "The code has changed since" in found.meaning


def test_ranks_that_are_not_the_stored_ones_are_named(subject: RunSubject) -> None:
    other, ahead = SCORES.clone(), int((SCORES[7] > SCORES[7, PAIRING[7]]).sum())
    other[7, SCORES[7].argmin()] = 2.0  # above its own video, which has kept its score
    found = again.same_ranks(subject, scored(other))
    assert found.verdict == "fail"
    assert f"{ahead} videos were ahead of the own one of query 7, and now {ahead + 1} are" in found.meaning


def test_a_rank_that_rounding_decides_is_any_of_those(subject: RunSubject) -> None:
    other = SCORES.clone()
    other += 1e-7 * torch.rand(30, 15, generator=torch.Generator().manual_seed(1))
    assert again.same_ranks(subject, scored(other)).verdict == "pass"


@pytest.mark.parametrize("variant", ["queries shuffled", "other keys", "videos in another order"])
def test_what_changes_a_score_is_named_with_its_pair(variant: str, subject: RunSubject) -> None:
    changed = SCORES.flip(0).clone()
    changed[2, 4] += 0.125  # the third from the end
    found = again.independence(subject, scored(**{variant.replace(" ", "_"): changed}))
    assert found.verdict == "fail"
    assert f"With {variant}, text 27 with video 4 changes by 0.12" in found.meaning


@pytest.mark.parametrize(
    ("sound", "ceiling", "verdict"),
    [
        (False, 0.5, "fail"),
        (False, 100.0, "pass"),
        (True, 0.5, "not applicable"),
        (False, None, "not applicable"),
    ],
)
def test_without_sound_no_method_finds_more_than_pixels_tell(
    sound: bool, ceiling: float | None, verdict: str, tmp_path: Path
) -> None:
    directory, _ = make_run(tmp_path, {"evaluation.conditions": ["leak-free"]}, [result(10.0)])
    add_result(directory, SCORES + torch.nn.functional.one_hot(PAIRING, 15), PAIRING)  # finds every video
    run = RunSubject.of(read_run(directory), "leak-free")
    found = again.ceiling(run, scored(records={"sound": sound, "ceiling": ceiling}))
    assert found.verdict == verdict


def test_copies_count_where_they_are_more_than_a_hundredth(subject: RunSubject) -> None:
    none = {"captions": 3, "caption": "a dog", "files": 0, "file": "", "clips": 0, "clip": "", "queries": 30}
    few = scored(records={"copies": {**none, "videos": 15}})
    assert again.copies(subject, few).verdict == "pass"
    assert "3 of 30 captions, e.g. a dog" in again.copies(subject, few).figure
    many = scored(records={"copies": {**none, "videos": 15, "clips": 1, "clip": "v3"}})
    assert again.copies(subject, many).verdict == "fail"


def test_encoders_that_declare_nothing_are_named(subject: RunSubject) -> None:
    found = again.training_data(subject, scored(records={"training_data": {"ViT-B-32": "WIT", "/mine": ""}}))
    assert (found.verdict, found.figure) == ("not applicable", "ViT-B-32: WIT; /mine: not declared")


def video(folder: Path, name: str, content: bytes, **window: float) -> Video:
    (folder / name).write_bytes(content)
    return Video(name, folder / name, **window)


def test_equal_files_and_windows_are_copies(tmp_path: Path) -> None:
    train = [video(tmp_path, "a", b"one"), video(tmp_path, "b", b"film", start=0.0, end=4.0)]
    test = [
        video(tmp_path, "c", b"one"),
        video(tmp_path, "d", b"two"),
        Video("e", tmp_path / "b", start=4.0, end=8.0),
        Video("f", tmp_path / "b", start=0.0, end=4.0),
    ]
    assert same_files(train, test) == ["c", "f"]


class Frames:
    """A store of four clips of three frames; the first and the last share all, the second only the middle."""

    ids = ("a", "b", "c", "d")

    class settings:
        frames = 3

    def frames(self, row: int) -> Any:
        clips = torch.tensor([[1, 2, 3], [9, 2, 9], [4, 5, 6], [1, 2, 3]], dtype=torch.uint8)
        return clips[row].numpy()


def test_clips_are_copies_where_all_their_frames_are_equal() -> None:
    train, test = (Split(tuple(Video(name, Path(name)) for name in names), (), ()) for names in ("a", "bcd"))
    assert same_frames(train, test, Frames()) == ["d"]  # type: ignore[arg-type]

"""What the authors' loaders hand to their models comes out of the recipe `authors`, from the clips."""

from pathlib import Path

import pytest
from safetensors import safe_open
from safetensors.torch import save_file

from methods.parity import check_file, run_parity

GOLDEN = Path(__file__).parents[1] / "golden"
FILES = sorted(path.name for path in GOLDEN.glob("inputs_*.safetensors"))
SHARED = Path(__file__).parents[2].parent / "shared"
CLIPS = [folder for folder in (SHARED / "clips", SHARED / "cases") if folder.is_dir()]
needs_clips = pytest.mark.skipif(not CLIPS, reason="the clips are not in ../shared")


@needs_clips
@pytest.mark.parametrize("name", FILES)
def test_recorded_frames_are_reproduced_from_their_clip(name: str) -> None:
    row = check_file(GOLDEN / name, CLIPS)
    assert (row.verdict, row.fails) == ("agrees", False), row.message


def test_a_recording_whose_clip_is_nowhere_is_listed_and_fails_only_where_clips_are_named(
    tmp_path: Path,
) -> None:
    name = FILES[0]
    (tmp_path / name).write_bytes((GOLDEN / name).read_bytes())
    (row,) = run_parity(tmp_path)
    assert (row.verdict, row.fails) == ("no clip", False)
    assert "--clips DIR" in row.message
    (row,) = run_parity(tmp_path, [tmp_path])
    assert (row.verdict, row.fails) == ("off", True)


def test_another_file_of_the_clips_name_is_not_taken_for_it(tmp_path: Path) -> None:
    with safe_open(GOLDEN / FILES[0], framework="pt") as file:
        clip = file.metadata()["clip"]
    (tmp_path / clip).write_bytes(b"another")
    row = check_file(GOLDEN / FILES[0], [tmp_path])
    assert row.fails
    assert "SHA-256 differs" in row.message


@needs_clips
@pytest.mark.parametrize(
    ("tensor", "change"),
    [("out.before_grid", 0.06), ("out.after_grid", 2e-5), ("out.mean_before", 0.06), ("out.fps", 0.1)],
)
def test_pixels_that_are_off_are_noticed(tensor: str, change: float, tmp_path: Path) -> None:
    name = "inputs_frames_xpool_photoprism_hvc1.safetensors"
    with safe_open(GOLDEN / name, framework="pt") as file:
        tensors, meta = {key: file.get_tensor(key) for key in file.keys()}, file.metadata()  # noqa: SIM118
    scale = float(tensors[tensor].abs().max().clamp(min=1)) if tensor == "out.after_grid" else 1.0
    tensors[tensor] = tensors[tensor] + change * scale
    save_file(tensors, tmp_path / "copy.safetensors", meta)
    row = check_file(tmp_path / "copy.safetensors", CLIPS)
    assert (row.verdict, row.tensor) == ("off", tensor)


@needs_clips
def test_a_recording_of_another_resize_than_the_recipes_is_off(tmp_path: Path) -> None:
    name = "inputs_frames_xpool_photoprism_hvc1.safetensors"
    with safe_open(GOLDEN / name, framework="pt") as file:
        tensors, meta = {key: file.get_tensor(key) for key in file.keys()}, file.metadata()  # noqa: SIM118
    save_file(tensors, tmp_path / "copy.safetensors", {**meta, "method": "gaid"})
    row = check_file(tmp_path / "copy.safetensors", CLIPS)
    assert row.fails
    assert "tensor-antialiased" in row.message

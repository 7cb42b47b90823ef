"""Audio states out of strangers' files: the tensor as it is, or one line."""

import os
from pathlib import Path
from typing import Any

import pytest
import torch

from core.encoders.released_states import read_states, states_digest
from core.errors import BenchError


class Poison:
    """A pickle that makes a folder when it is loaded without care."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (str(self.folder),)


@pytest.mark.parametrize("shape", [(1, 6, 4), (6, 4)])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float16])
def test_states_come_back_as_they_were_saved(
    shape: tuple[int, ...], dtype: torch.dtype, tmp_path: Path
) -> None:
    states = torch.randn(shape, generator=torch.Generator().manual_seed(0)).to(dtype)
    torch.save(torch.nn.Parameter(states), tmp_path / "a.pt")
    found = read_states(tmp_path / "a.pt", "whisper-base", 6, 4)
    assert (found.shape, found.dtype, found.requires_grad) == ((6, 4), torch.float32, False)
    assert found.equal(states.reshape(6, 4).float())


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (torch.zeros(1, 6, 5), r"a\.pt holds states of shape \[1, 6, 5\], whisper-base gives \[1, 6, 4\]"),
        (torch.zeros(1, 4), r"holds states of shape \[1, 4\]"),
        (torch.zeros(2, 6, 4), r"holds states of shape \[2, 6, 4\]"),
        (torch.full((1, 6, 4), torch.nan), "holds states that are not finite"),
        ({"states": torch.zeros(1, 6, 4)}, "holds no states but dict; save the bare tensor"),
        (b"<html>", r"a\.pt (is a pickle that needs|holds no states that can be read)"),
        (b"", r"a\.pt holds no states that can be read"),
    ],
)
def test_what_holds_no_such_states_is_one_line(content: Any, message: str, tmp_path: Path) -> None:
    path = tmp_path / "a.pt"
    if isinstance(content, bytes):
        path.write_bytes(content)
    else:
        torch.save(content, path)
    with pytest.raises(BenchError, match=message) as caught:
        read_states(path, "whisper-base", 6, 4)
    assert "\n" not in str(caught.value)


def test_a_pickle_that_needs_more_than_tensors_is_refused_and_not_run(tmp_path: Path) -> None:
    torch.save([torch.zeros(1, 6, 4), Poison(tmp_path / "run")], tmp_path / "a.pt")
    with pytest.raises(
        BenchError, match=r"a\.pt .*needs posix\.mkdir to be loaded.*refused.*save its states alone"
    ):
        read_states(tmp_path / "a.pt", "whisper-base", 6, 4)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("zipped", [True, False])
def test_the_digest_sees_one_number_in_a_file_of_the_same_size(zipped: bool, tmp_path: Path) -> None:
    files = {name: tmp_path / f"{name}.pt" for name in "ab"}
    states = torch.zeros(1, 100, 64)
    for path in files.values():
        torch.save(states, path, _use_new_zipfile_serialization=zipped)
    before, size = states_digest(files), files["a"].stat().st_size
    assert states_digest(dict(reversed(files.items()))) == before
    states[0, -1, -1] = 1
    torch.save(states, files["a"], _use_new_zipfile_serialization=zipped)
    assert files["a"].stat().st_size == size
    assert states_digest(files) != before

"""A state file that is damaged, or that states more than it holds, is one line and never a crash."""

import os
import pickle
import random
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from core.encoders.state_files import read_state
from core.errors import BenchError
from tests.core.encoders.archives import READERS, rewritten, scripted, traced

pytestmark = pytest.mark.filterwarnings("ignore:.*torch.jit")
"""TorchScript is old."""

UNUSUAL: dict[str, Callable[[], Tensor]] = {
    "sparse": lambda: torch.eye(3).to_sparse(),
    "compressed sparse": lambda: torch.eye(3).to_sparse_csr(),
    "quantized": lambda: torch.quantize_per_tensor(torch.ones(3), 0.1, 0, torch.qint8),
    "nested": lambda: torch.nested.nested_tensor([torch.ones(2), torch.ones(3)]),
    "meta": lambda: torch.empty(3, device="meta"),
    "complex": lambda: torch.ones(3, dtype=torch.complex64),
    "expanded": lambda: torch.zeros(1).expand(10**12),
}


@pytest.mark.parametrize("kind", UNUSUAL)
def test_tensors_that_are_no_plain_numbers_are_one_line(kind: str, tmp_path: Path) -> None:
    torch.save({"weight": UNUSUAL[kind]()}, tmp_path / "a.pt")
    torch.save(UNUSUAL[kind](), tmp_path / "b.pt")
    for reader, name in (("checkpoint", "a.pt"), ("states", "b.pt")):
        with pytest.raises(BenchError, match=name) as caught:
            READERS[reader](tmp_path / name)
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "content",
    [
        b"\x80\x04\x95\x00\x00\x00\x00\x00\x00\x00\x10",  # a frame of 2^60 bytes
        b"\x80\x02Nr\xff\xff\xff\x7f.",  # the value of number 2^31
        b"\x80\x02" + b"]" * 100_000,
        b"",
        b"PK\x05\x06" + b"\0" * 18,  # an empty archive
    ],
)
def test_lengths_that_files_only_state_are_not_believed(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "a.pt").write_bytes(content)
    scripted(tmp_path / "model.pt")
    path = rewritten(tmp_path / "model.pt", lambda n, kept: content if n.endswith("/data.pkl") else kept)
    for file in (tmp_path / "a.pt", path):
        with pytest.raises(BenchError, match=file.name):
            read_state(file)


def test_an_archive_that_unpacks_to_more_than_it_holds_is_refused(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "bomb.pt", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("bomb/data.pkl", pickle.dumps({}))
        archive.writestr("bomb/data/0", bytes(10**8))
    with pytest.raises(BenchError, match=r"bomb\.pt .*unpacks from [\d,]+ to 1\d\d,000,\d+ bytes"):
        read_state(tmp_path / "bomb.pt")


@pytest.mark.parametrize("make", ["mkfifo", "mkdir", "nothing"])
def test_what_is_no_file_is_one_line_and_is_not_waited_for(make: str, tmp_path: Path) -> None:
    path = tmp_path / "a.pt"
    {"mkfifo": os.mkfifo, "mkdir": os.mkdir, "nothing": lambda _: None}[make](path)
    with pytest.raises(BenchError, match=r"a\.pt holds no weights that can be read: no such file"):
        read_state(path)


@pytest.mark.parametrize("save", [scripted, traced])
def test_a_damaged_archive_is_one_line_or_the_state(
    save: Callable[[Path], nn.Module], tmp_path: Path
) -> None:
    save(tmp_path / "model.pt")
    whole, rng = (tmp_path / "model.pt").read_bytes(), random.Random(0)
    for _ in range(100):
        damaged = bytearray(whole)
        for _ in range(rng.randint(1, 8)):
            damaged[rng.randrange(len(damaged))] = rng.randrange(256)
        if rng.random() < 0.3:
            del damaged[rng.randrange(len(damaged)) :]
        (tmp_path / "damaged.pt").write_bytes(damaged)
        assert "\n" not in outcome(tmp_path / "damaged.pt")


def outcome(path: Path) -> str:
    """The line that a file is refused with; empty where it is read."""
    try:
        read_state(path)
    except BenchError as error:
        return str(error)
    return ""

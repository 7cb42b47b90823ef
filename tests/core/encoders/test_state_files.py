"""Weight files of strangers: what they hold as it is, or one line, and nothing is run or written."""

import os
import pickle
import random
import re
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from core.encoders.audio import AudioEncoder
from core.encoders.released_states import read_states
from core.encoders.state_files import read_state
from core.encoders.towers import open_towers
from core.errors import BenchError


class Block(nn.Module):
    """Parameters, buffers of several types, and tensors that belong to no state."""

    def __init__(self) -> None:
        super().__init__()
        self.norm = nn.BatchNorm1d(4)
        self.linear = nn.Linear(4, 4, bias=False)
        self.attribute = torch.ones(2)
        self.sizes = [1, 2]

    def forward(self, x: Tensor) -> Tensor:
        """Anything that reads all of them."""
        y: Tensor = self.linear(self.norm(x)) + self.attribute.sum() + self.sizes[0]
        return y


class Model(nn.Module):
    """Modules in lists, a module under two names, half precision and a view of another tensor."""

    def __init__(self) -> None:
        super().__init__()
        self.blocks = nn.ModuleList([Block(), Block()])
        self.again = self.blocks[0]
        self.scales = nn.Parameter(torch.randn(3).half())
        self.register_buffer("flags", torch.tensor([True, False]))
        self.register_buffer("column", torch.arange(12.0).reshape(3, 4)[:, 1])

    def forward(self, x: Tensor) -> Tensor:
        """Through all blocks."""
        for block in self.blocks:
            x = block(x)
        y: Tensor = self.again(x)
        return y


def scripted(path: Path) -> nn.Module:
    """A model saved as a TorchScript archive."""
    model = Model().eval()
    torch.jit.save(torch.jit.script(model), path)
    return model


def traced(path: Path) -> nn.Module:
    """The same by tracing, as OpenAI's archives were made."""
    model = Model().eval()
    torch.jit.save(torch.jit.trace(model, torch.ones(2, 4)), path)
    return model


@pytest.fixture(autouse=True)
def _torchscript_is_old() -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


@pytest.mark.parametrize("save", [scripted, traced])
@pytest.mark.parametrize("name", ["model.pt", "model.bin"])
def test_a_torchscript_archive_gives_the_state_of_its_model(
    save: Callable[[Path], nn.Module], name: str, tmp_path: Path
) -> None:
    model = save(tmp_path / name)
    found, expected = read_state(tmp_path / name), model.state_dict()
    assert found.keys() == expected.keys() == torch.jit.load(tmp_path / name).state_dict().keys()
    for key, tensor in expected.items():
        assert found[key].dtype == tensor.dtype
        assert found[key].equal(tensor), key


SOURCE = """
class Evil(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(1, 6, 4))

    def forward(self, x):
        return x

    @torch.jit.export
    def __getstate__(self):
        return (self.weight, self.training)

    @torch.jit.export
    def __setstate__(self, state: Tuple[Tensor, bool]):
        self.training = state[1]
        written = torch.from_file("PATH", True, 8, dtype=torch.uint8).fill_(80)
        self.weight = state[0] + 0 * written.sum()
"""


@pytest.fixture
def evil(tmp_path: Path) -> tuple[Path, Path]:
    """An archive that writes a file when TorchScript loads it, and that file, which does not exist yet."""
    target, source = tmp_path / "pwned", tmp_path / "evil.py"
    source.write_text("import torch\nfrom torch import Tensor\nfrom typing import Tuple\n" + SOURCE)
    source.write_text(source.read_text().replace("PATH", str(target)))
    space: dict[str, Any] = {"__name__": "evil"}
    exec(compile(source.read_text(), str(source), "exec"), space)
    space["Evil"].__module__ = "evil"
    torch.jit.save(torch.jit.script(space["Evil"]()), tmp_path / "evil.pt")
    torch.jit.load(tmp_path / "evil.pt")
    assert target.read_bytes() == b"P" * 8, "the archive is harmless: this test watches nothing"
    target.unlink()
    return tmp_path / "evil.pt", target


READERS: dict[str, Callable[[Path], object]] = {
    "checkpoint": read_state,
    "states": lambda path: read_states(path, "whisper-base", 6, 4),
    "backbone": open_towers,
}


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize("suffix", [".pt", ".bin", ".pth", ""])
def test_code_in_an_archive_is_refused_by_name_and_not_run(
    reader: str, suffix: str, evil: tuple[Path, Path]
) -> None:
    path, target = evil[0].rename(evil[0].with_suffix(suffix)), evil[1]
    with pytest.raises(BenchError, match=r"needs __torch__\S*Evil\.__setstate__ to be loaded.*refused"):
        READERS[reader](path)
    assert not target.exists()


def test_an_archive_without_the_listing_of_its_code_runs_nothing_either(
    evil: tuple[Path, Path], tmp_path: Path
) -> None:
    path, target = evil
    changed = rewritten(path, lambda name, content: None if name.endswith(".py") else content)
    with pytest.raises(BenchError, match=r"Evil\.__setstate__"):
        read_state(changed)
    assert not target.exists()


def rewritten(path: Path, change: Callable[[str, bytes], bytes | None]) -> Path:
    """A copy of an archive with every entry changed, or left out."""
    copy = path.with_name(f"copy-{path.name}")
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(copy, "w") as new:
        for entry in old.infolist():
            content = change(entry.filename, old.read(entry))
            if content is not None:
                new.writestr(entry.filename, content)
    return copy


@pytest.mark.parametrize(
    ("module", "name"),
    [("os", "mkdir"), ("builtins", "eval"), ("torch", "from_file"), ("torch._utils", "_rebuild_qtensor")],
)
def test_a_name_in_the_pickle_of_an_archive_is_refused_by_name(
    module: str, name: str, tmp_path: Path
) -> None:
    scripted(tmp_path / "model.pt")
    asks = f"\x80\x02c{module}\n{name}\nX\x01\x00\x00\x00x\x85R.".encode("latin-1")
    path = rewritten(tmp_path / "model.pt", lambda n, content: asks if n.endswith("/data.pkl") else content)
    with pytest.raises(BenchError, match=re.escape(f"needs {module}.{name} to be loaded")):
        read_state(path)


@pytest.mark.parametrize("layout", ["open_clip", "transformers", "whisper"])
def test_a_model_folder_whose_weights_are_code_is_refused_before_a_library_opens_it(
    layout: str, tmp_path: Path
) -> None:
    name = {"open_clip": "open_clip_pytorch_model.bin"}.get(layout, "pytorch_model.bin")
    config = {"open_clip": "open_clip_config.json"}.get(layout, "config.json")
    kind = "whisper" if layout == "whisper" else "clip"
    (tmp_path / config).write_text(f'{{"model_type": "{kind}", "model_cfg": {{}}}}')
    torch.save({"weight": Poison(tmp_path / "run")}, tmp_path / name)
    with pytest.raises(BenchError, match=r"\.bin is a pickle that needs posix\.mkdir to be loaded"):
        AudioEncoder.load(str(tmp_path)) if layout == "whisper" else open_towers(tmp_path)
    assert not (tmp_path / "run").exists()


class Poison:
    """A pickle that makes a folder when it is loaded without care."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (str(self.folder),)


@pytest.mark.parametrize("zipped", [True, False])
@pytest.mark.parametrize("protocol", [2, 4])
def test_pickles_with_code_are_refused_in_every_format(zipped: bool, protocol: int, tmp_path: Path) -> None:
    torch.save(
        {"weight": torch.zeros(2), "more": Poison(tmp_path / "run")},
        tmp_path / "a.pt",
        pickle_protocol=protocol,
        _use_new_zipfile_serialization=zipped,
    )
    with pytest.raises(BenchError, match=r"a\.pt (is a pickle that needs|holds no weights)") as caught:
        read_state(tmp_path / "a.pt")
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "run").exists()


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


def test_modules_that_contain_themselves_are_refused(tmp_path: Path) -> None:
    scripted(tmp_path / "model.pt")
    content = b"\x80\x02c__torch__\nLoop\n)\x81q\x00}X\x04\x00\x00\x00selfh\x00sb."
    code = b"class Loop(Module):\n  __parameters__ = []\n  __buffers__ = []\n"

    def change(name: str, kept: bytes) -> bytes:
        if name.endswith("/data.pkl"):
            return content
        return code if name.endswith("code/__torch__.py") else kept

    model = rewritten(tmp_path / "model.pt", change)
    with zipfile.ZipFile(model, "a") as archive:
        archive.writestr("model/code/__torch__.py", code)
    with pytest.raises(BenchError, match="its modules contain themselves"):
        read_state(model)

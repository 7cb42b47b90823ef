"""Weight files of strangers: what they hold as it is, or one line, and nothing is run or written."""

import os
import re
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from core.encoders.audio import AudioEncoder
from core.encoders.state_files import read_state
from core.encoders.towers import open_towers
from core.errors import BenchError
from tests.core.encoders.archives import READERS, rewritten, scripted, traced

pytestmark = pytest.mark.filterwarnings("ignore:.*torch.jit")
"""TorchScript is old."""


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

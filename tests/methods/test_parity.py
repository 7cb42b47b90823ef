"""Every golden file is reproduced, and a file that is wrong in any way is noticed."""

from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor

from core.errors import BenchError
from methods.parity import GOLDEN_CHECKS, ParityRow, check_file, run_parity
from methods.parity.golden import compared

GOLDEN = Path(__file__).parents[1] / "golden"
FILES = sorted(path.name for path in GOLDEN.glob("*.safetensors") if not path.name.startswith("inputs_"))
"""Recorded inputs need the clips themselves: see `test_input_parity`."""


def read(name: str) -> tuple[dict[str, Tensor], dict[str, str]]:
    with safe_open(GOLDEN / name, framework="pt") as file:
        return {key: file.get_tensor(key) for key in file.keys()}, file.metadata()  # noqa: SIM118


def rewritten(folder: Path, tensors: dict[str, Tensor], meta: dict[str, str]) -> ParityRow:
    save_file(
        {key: tensor.contiguous() for key, tensor in tensors.items()}, folder / "copy.safetensors", meta
    )
    return check_file(folder / "copy.safetensors")


@pytest.mark.parametrize("name", FILES)
def test_golden_files_are_reproduced(name: str) -> None:
    row = check_file(GOLDEN / name)
    assert (row.verdict, row.fails) == ("agrees", False), row.message


HEADS = ("xclip", "drl", "uatvr", "emcl", "dicosa", "gram", "triangle", "pmrl", "vast", "valor", "save")


def kinds() -> list[str]:
    """One file of each kind that the methods check."""
    chosen = {read(name)[1]["kind"]: name for name in FILES}
    families = ("xpool", "tmass", "clip4clip", "gaid.head", "avigate.head", "cae_av", *HEADS)
    return sorted(name for kind, name in chosen.items() if kind.startswith(families))


RESULTS = (
    "out",
    "eval.out",
    "mid",
    "grad",
    "derived",
    "metrics",
    "init",
    "train",
    "step1.after",
    "step1.loss",
    "eval/",
    "caste_dwconv/grad",
    "case/eval",
    "case/train/grad",
    "adapter/out",
)


@pytest.mark.parametrize("name", kinds())
def test_a_changed_result_is_off(name: str, tmp_path: Path) -> None:
    tensors, meta = read(name)
    results = [
        key
        for key in tensors
        if key.startswith(RESULTS) and not key.startswith(("eval.in", "eval/in", "eval/mu"))
    ]
    results = [key for key in results if tensors[key].is_floating_point() and tensors[key].isfinite().all()]
    results = [key for key in results if key != "init.clip.logit_scale"]  # CLIP's own value, left out
    for key in (results[0], results[len(results) // 2], results[-1]):
        changed = tensors[key].clone()
        changed.view(-1)[-1] += 1e-3 * max(1.0, float(changed.abs().max()))
        row = rewritten(tmp_path, {**tensors, key: changed}, meta)
        assert row.verdict == "off"
        assert key in row.message


@pytest.mark.parametrize("name", kinds())
def test_a_missing_tensor_is_off(name: str, tmp_path: Path) -> None:
    tensors, meta = read(name)
    fixed = [key for key in tensors if not key.removeprefix("step1.").startswith("grad")]
    for key in fixed[:: max(1, len(fixed) // 6)]:
        row = rewritten(tmp_path, {k: t for k, t in tensors.items() if k != key}, meta)
        assert row.verdict == "off", key
        assert row.message


@pytest.mark.parametrize("name", kinds())
def test_a_tensor_that_nothing_compares_is_off(name: str, tmp_path: Path) -> None:
    tensors, meta = read(name)
    row = rewritten(tmp_path, {**tensors, "surplus.tensor": torch.zeros(2)}, meta)
    assert row.verdict == "off"
    assert "surplus.tensor" in row.message


@pytest.mark.parametrize("name", kinds())
def test_missing_or_senseless_settings_are_off(name: str, tmp_path: Path) -> None:
    tensors, meta = read(name)
    numbers = {"num_mha_heads", "heads", "k", "support_loss_weight", "lam", "topk_ratio", "T", "tau1"}
    numbers |= {"extra_text_tokens", "label_smoothing", "concepts", "stages"}
    used = [key for key in meta if key in numbers | {"prior", "header"}]
    for key in used:
        without = rewritten(tmp_path, tensors, {k: v for k, v in meta.items() if k != key})
        senseless = rewritten(tmp_path, tensors, {**meta, key: "seven"})
        if meta.get("header") == "meanP" and key == "heads":  # meanP has no heads to read
            continue
        assert without.verdict == senseless.verdict == "off"
        assert without.message


def test_an_unknown_kind_fails(tmp_path: Path) -> None:
    row = rewritten(tmp_path, {"x": torch.zeros(1)}, {"kind": "xpool.poolings"})
    assert (row.verdict, row.fails) == ("unknown", True)
    assert "xpool.poolings" in row.message
    assert rewritten(tmp_path, {"x": torch.zeros(1)}, {}).fails


def test_a_file_that_cannot_be_read_fails_without_a_crash(tmp_path: Path) -> None:
    (tmp_path / "broken.safetensors").write_bytes(b"not a tensor file")
    (row,) = run_parity(tmp_path)
    assert row.fails
    assert "not a readable safetensors file" in row.message


def test_a_folder_without_files_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BenchError, match=r"no \*\.safetensors file"):
        run_parity(tmp_path)


def test_strange_shapes_fail_without_a_crash(tmp_path: Path) -> None:
    for name in kinds():
        tensors, meta = read(name)
        row = rewritten(tmp_path, {key: tensor.reshape(-1)[:1] for key, tensor in tensors.items()}, meta)
        assert row.verdict == "off"


def test_every_kind_of_the_golden_files_has_a_check() -> None:
    assert {read(name)[1]["kind"] for name in FILES} <= GOLDEN_CHECKS.keys()


@pytest.mark.parametrize(
    ("ours", "reference", "agrees"),
    [
        (torch.tensor([1.0, 2.0]), torch.tensor([1.0, 2.000019]), True),
        (torch.tensor([1.0, 2.0]), torch.tensor([1.0, 2.00003]), False),
        (torch.tensor([1000.0, 0.005]), torch.tensor([1000.0, 0.0]), True),
        (torch.tensor([torch.nan, 1.0]), torch.tensor([torch.nan, 1.0]), True),
        (torch.tensor([0.0, 1.0]), torch.tensor([torch.nan, 1.0]), False),
        (torch.tensor([torch.nan, 1.0]), torch.tensor([0.0, 1.0]), False),
        (torch.tensor([-torch.inf]), torch.tensor([-torch.inf]), True),
        (torch.tensor([torch.inf]), torch.tensor([-torch.inf]), False),
        (torch.tensor([3]), torch.tensor([3]), True),
        (torch.tensor([3]), torch.tensor([4]), False),
        (torch.tensor([1.0]), torch.tensor([[1.0]]), False),
    ],
)
def test_the_rule_of_agreement(ours: Tensor, reference: Tensor, agrees: bool) -> None:
    assert compared("x", ours, reference).agrees is agrees

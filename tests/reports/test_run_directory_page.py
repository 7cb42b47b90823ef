"""The page that describes a run's files names every field that is written."""

import json
from pathlib import Path

import pandas as pd
import pytest
import torch

from core.evaluation.tie_policies import TIE_POLICIES
from core.run_files import Manifest
from core.spec import SCHEMA
from tests.made_runs import add_result, make_run, result

PAGE = (Path(__file__).parents[2] / "docs" / "run-directory.md").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory, _ = make_run(tmp_path_factory.mktemp("runs"), {}, [result(1.0)])
    add_result(directory, torch.rand(6, 3), torch.tensor([0, 1, 2, 0, 1, 2]))
    return directory.path


@pytest.mark.parametrize("name", ["queries.parquet", "top.parquet"])
def test_every_column_is_described_under_its_file(name: str, folder: Path) -> None:
    section = PAGE.split(f"## {name}")[1].split("\n## ")[0]
    for column in pd.read_parquet(folder / name).columns:
        assert f"`{column}`" in section, column


def test_every_key_of_a_result_is_described(folder: Path) -> None:
    section = PAGE.split("## metrics.json")[1].split("\n## ")[0]
    entry = json.loads((folder / "metrics.json").read_text())["results"][0]
    for key in (*entry, *entry["protocol"], *entry["metrics"]["expected"], *TIE_POLICIES):
        assert f"`{key}`" in section, key


def test_what_the_reports_read_of_a_manifest_is_described() -> None:
    section = PAGE.split("## manifest.json")[1].split("\n## ")[0]
    for key in Manifest.model_fields:
        assert f"`{key}`" in section, key
    assert f"**schema {SCHEMA}**" in PAGE

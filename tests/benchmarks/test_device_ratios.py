"""The rows that `make gpu-check` prints on a GPU are printed on a CPU too."""

import re

import torch

from benchmarks.device_ratios import Sizes, ratio_rows
from benchmarks.gpu_check import PARTS
from benchmarks.timing.cases import WORKS
from core.encoders.audio import AudioEncoder

SMALL = Sizes(rounds=1, clips=1, pairs=4, width=16, texts=4, videos=6, listed=(5, 40), side=32)


def test_every_ratio_is_a_row_with_a_figure() -> None:
    encoder = AudioEncoder.load("avworld-whisper").encoder
    rows = {row.part: row for row in ratio_rows(torch.device("cpu"), SMALL, encoder)}
    assert all(re.fullmatch(r"\d+(\.\d+)? [x%]", row.result) for row in rows.values())
    assert not any(row.failed for row in rows.values())
    words = " ".join(rows)
    for part in ("Whisper, float32 / bfloat16", "all-pairs head", "stp-fresh, modules / exact", "best lists"):
        assert part in words
    queries = {part.partition(",")[0] for part in rows if part.endswith("a query / its share of a batch")}
    assert queries == WORKS.keys() - {"stp-fresh"}
    assert "ratios" in PARTS

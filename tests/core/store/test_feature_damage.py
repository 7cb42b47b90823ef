"""Damage in cached features is found, named and written anew; what is undamaged is not read again."""

import re
from pathlib import Path

import numpy as np
import pytest

import core.store.features
import core.store.store
from core.errors import BenchError
from core.progress import Silent
from core.store.features import Features, encode_store
from tests.core.store.conftest import encode


class Heard(Silent):
    """Keeps what is said."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def say(self, line: str, tone: str = "") -> None:
        self.lines.append(line)


def encode_again(store, clip, folder: Path) -> tuple[Features, str]:
    heard = Heard()
    found = encode_store(store, clip, None, folder, workers=1, progress=heard, device="cpu")
    return found, "; ".join(heard.lines)


def damaged(folder: Path, change) -> Path:
    file = next(folder.glob("pictures-*.npy"))
    content = bytearray(file.read_bytes())
    change(content)
    file.write_bytes(content)
    return file


def zero_the_last_shard(content: bytearray) -> None:
    content[-100:] = bytes(100)


def cut(content: bytearray) -> None:
    del content[-100:]


def other_header(content: bytearray) -> None:
    content[:6] = b"NUMPY?"


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (zero_the_last_shard, r"damaged in 1 of 3 shards \(2\)"),
        (cut, "is damaged; it is written anew"),
        (other_header, "is damaged; it is written anew"),
    ],
)
def test_damaged_features_are_named_and_written_anew(store, clip, tmp_path, change, words):
    whole = np.array(encode(store, clip, None, tmp_path / "cache").frames)
    file = damaged(tmp_path / "cache", change)
    found, said = encode_again(store, clip, tmp_path / "cache")
    assert re.search(words, said)
    assert file.name in said
    np.testing.assert_array_equal(found.frames, whole)
    assert encode_again(store, clip, tmp_path / "cache")[1] == ""


def test_only_damaged_shards_are_encoded_again(store, clip, tmp_path, monkeypatch):
    encode(store, clip, None, tmp_path / "cache")
    damaged(tmp_path / "cache", zero_the_last_shard)
    write, again = core.store.features._write_part, []
    monkeypatch.setattr(core.store.features, "_write_part", lambda *a: (again.append(a[-1]), write(*a)))
    encode(store, clip, None, tmp_path / "cache")
    assert again == [2]


def test_an_unchanged_cache_is_not_read_again(store, clip, tmp_path, monkeypatch):
    encode(store, clip, None, tmp_path / "cache")
    monkeypatch.setattr("core.store.feature_sums.checksum", None)
    encode(store, clip, None, tmp_path / "cache")


def test_features_of_before_the_checksums_get_them_and_say_so(store, clip, tmp_path):
    encode(store, clip, None, tmp_path / "cache")
    for file in (tmp_path / "cache").glob("*.sums"):
        file.unlink()
    assert "has no checksums" in encode_again(store, clip, tmp_path / "cache")[1]
    damaged(tmp_path / "cache", zero_the_last_shard)
    assert "damaged in 1 of 3 shards" in encode_again(store, clip, tmp_path / "cache")[1]


def test_a_damaged_store_is_not_encoded(store, clip, tmp_path):
    pixels = store.folder / "pixels-00001.npy"
    content = bytearray(pixels.read_bytes())
    content[-1] ^= 1
    pixels.write_bytes(content)
    with pytest.raises(BenchError, match=r"pixels-00001\.npy is damaged"):
        encode(store, clip, None, tmp_path / "cache")

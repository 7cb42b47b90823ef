"""What packets tell of the frames that may be left out, without decoding any."""

from collections.abc import Sequence

import numpy as np
import pytest

from core.media.nal import length_bytes, picture_use
from core.media.sparse_pass import are_regular, reorder_depth, sent_packets


@pytest.mark.parametrize("seed", range(5))
def test_the_depth_of_reordering_is_the_most_frames_that_wait(seed: int) -> None:
    stamps = np.random.default_rng(seed).permutation(12).tolist()
    naive = max(sum(earlier > stamp for earlier in stamps[:at]) for at, stamp in enumerate(stamps))
    assert reorder_depth(stamps) == naive


@pytest.mark.parametrize(
    ("units", "expected"),
    [
        ([b"\x65\xe0bc"], "key"),
        ([b"\x67abc", b"\x68ab", b"\x65\xe0bc"], "key"),
        ([b"\x41\xe0bc"], "reference"),
        ([b"\x01\xe0bc"], "disposable"),
        ([b"\x01\xe0bc", b"\x01\x47bd"], "disposable"),
        ([b"\x06abc", b"\x09a", b"\x01\xe0bc"], "disposable"),
        ([b"\x01\xe0bc", b"\x41\x47bc"], "reference"),
        ([b"\x68ab", b"\x01\xe0bc"], "reference"),  # a parameter set, which later frames may need
        ([b"\x06abc"], None),
        ([b"\x01\x00bc"], None),  # a first slice that does not begin the picture
        ([b"\x01\xe0bc", b"\x01\xe0bc"], None),  # a second one that does
        ([b"\x01" + b"\x85\x80" + b"bc"], None),  # slice type 10
        ([b"\x01" + bytes(12)], None),
        ([b"\x01"], None),
        ([b"\x81\xe0bc"], None),
        ([b""], None),
        ([], None),
    ],
)
def test_a_packet_tells_who_needs_its_picture(units: Sequence[bytes], expected: str | None) -> None:
    packet = b"".join(len(unit).to_bytes(4, "big") + unit for unit in units)
    assert picture_use(memoryview(packet), 4) == expected
    if expected:
        assert picture_use(memoryview(packet[:-1]), 4) is None


def test_only_a_header_with_lengths_says_how_long_they_are() -> None:
    assert length_bytes(b"\x01\x64\x00\x0d\xff\xe1\x00") == 4
    assert length_bytes(b"\x01\x64\x00\x0d\xfd\xe1\x00") == 2
    assert length_bytes(b"\x00\x00\x00\x01\x67\x64\x00") is None
    assert length_bytes(None) is None


def test_of_a_group_what_comes_before_its_last_wanted_frame_is_decoded() -> None:
    uses = ["key", "reference", "disposable", "disposable", "reference", "key", "disposable", "key"]
    assert sent_packets(uses, [number in (3, 7) for number in range(8)]) == [0, 1, 3, 7]
    assert sent_packets(uses, [False] * 8) == []


def test_a_lost_frame_makes_times_irregular() -> None:
    assert are_regular([0, 66, 33, 100, 133])  # rounded to milliseconds, in the order of the file
    assert are_regular([5])
    assert not are_regular([0, 66, 33, 133, 166])
    assert not are_regular([0, 33, 40, 73])

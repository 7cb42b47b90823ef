"""Reading a file is bounded in time."""

from pathlib import Path

import pytest

from core.media.demuxing import CLOCK_PACKETS
from core.media.media import MediaError, decode_frames
from tests.core.media_files import grey_ramp, write_media


@pytest.mark.parametrize("looks", [1, 3])
def test_a_file_that_takes_too_long_to_read_is_refused(
    looks: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_media(tmp_path / "a.mkv", grey_ramp(2).repeat(CLOCK_PACKETS, axis=0))
    clock = iter([0.0] * looks)
    monkeypatch.setattr("core.media.demuxing.thread_time", lambda: next(clock, 1_000.0))
    with pytest.raises(MediaError, match="processor time"):
        decode_frames(path, frames=2, sampling="segment-centres", size=32)

"""A media file makes FFmpeg open nothing but itself: no other file, no host, no pipe, no device."""

import http.server
import os
import shutil
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from core.dataset import Video
from core.media.describing import describe
from core.media.media import MediaError, decode_clip
from core.store import decoding
from core.store.decoding import CLIP_SECONDS, LEAST_SECONDS, SECONDS_PER_SECOND, patience
from core.supervisor import CONTEXT
from tests.core.media_files import grey_ramp, write_media

SUFFIXES = (".m3u8", ".mp4", ".mkv", ".txt", ".ffconcat", ".mpd", ".sdp", "")
DEMUXERS = {
    "hls": "#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\n{target}\n#EXT-X-ENDLIST\n",
    "hls with a key": '#EXTM3U\n#EXT-X-KEY:METHOD=AES-128,URI="{target}"\n#EXTINF:1,\n{target}\n',
    "concat": "ffconcat version 1.0\nfile '{target}'\n",
    "dash": '<?xml version="1.0"?>\n<MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="static"><Period>'
    '<AdaptationSet mimeType="video/mp4"><Representation id="0"><BaseURL>{target}</BaseURL>'
    "</Representation></AdaptationSet></Period></MPD>",
    "sdp": "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\nm=video 5004 RTP/AVP 96\n"
    "a=rtpmap:96 H264/90000\na=control:{target}\n",
    "imf": '<?xml version="1.0"?><CompositionPlaylist><Asset>{target}</Asset></CompositionPlaylist>',
    "svg": '<svg xmlns="http://www.w3.org/2000/svg"><image href="{target}"/></svg>',
    "tee": "[f=mp4]{target}|[f=mp4]{target}",
}


@pytest.fixture(scope="module")
def asked() -> Iterator[tuple[str, list[str]]]:
    """The address of a local server, and what it was asked for."""
    requests: list[str] = []

    class Watched(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            requests.append(self.path)
            self.send_error(404)

        def log_message(self, *_: object) -> None:
            """Nothing."""

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Watched)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"127.0.0.1:{server.server_port}", requests
    server.shutdown()


@pytest.fixture
def private(tmp_path: Path) -> Path:
    """A film outside of the data set's folder."""
    folder = tmp_path / "private"
    folder.mkdir()
    return write_media(folder / "film.ts", grey_ramp(10), codec="mpeg2video", fps=25, format="mpegts")


@pytest.mark.timeout(60)
@pytest.mark.parametrize("kind", DEMUXERS)
@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_file_that_names_others_is_refused_whatever_its_suffix(
    kind: str, suffix: str, private: Path, asked: tuple[str, list[str]], tmp_path: Path
) -> None:
    address, requests = asked
    data = tmp_path / "data"
    data.mkdir()
    os.mkfifo(data / "pipe")
    path = data / f"list{suffix}"
    targets = (private, f"file://{private}", f"../private/{private.name}", f"http://{address}/x.ts")
    for target in (*targets, f"tcp://{address}", f"rtp://{address}", path.name, data / "pipe", "/dev/zero"):
        path.write_text(DEMUXERS[kind].format(target=target))
        with pytest.raises(MediaError, match="not a readable media file"):
            decode_clip(path, sampling="segment-centres", frames=2, size=32)
        assert not describe(path).picture.decodable
    assert requests == []


def test_a_name_with_a_pattern_is_the_name_of_one_file(tmp_path: Path) -> None:
    write_media(tmp_path / "a.mkv", grey_ramp(3))
    for name in ("frame%03d.mkv", "frame*.mkv", "concat:a.mkv|a.mkv", "file:a.mkv", "tee:a.mkv"):
        shutil.copy(tmp_path / "a.mkv", tmp_path / name)
        assert decode_clip(tmp_path / name, sampling="segment-centres", frames=2, size=32).frames.mask.all()
    for number in range(3):
        (tmp_path / f"frame{number:03d}.png").write_bytes(b"")
    with pytest.raises(MediaError):
        decode_clip(tmp_path / "frame%03d.png", sampling="segment-centres", frames=2, size=32)


@pytest.mark.timeout(60)
def test_pipes_and_devices_are_refused_and_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.mp4")
    (tmp_path / "zero.mp4").symlink_to("/dev/zero")
    for name in ("pipe.mp4", "zero.mp4", "."):
        with pytest.raises(MediaError, match="no such file"):
            decode_clip(tmp_path / name, sampling="segment-centres", frames=2, size=32)


def test_patience_grows_with_the_file_and_ends(tmp_path: Path) -> None:
    def seconds(size: int) -> float:
        with (tmp_path / "a.mp4").open("wb") as file:
            file.truncate(size)
        return patience(Video(id="a", path=tmp_path / "a.mp4"))

    assert [seconds(0), seconds(10**7), seconds(10**10)] == [LEAST_SECONDS, LEAST_SECONDS + 20, CLIP_SECONDS]
    assert np.isfinite(patience(Video(id="b", path=tmp_path / "none.mp4")))


def test_patience_grows_with_the_length_that_a_film_states(tmp_path: Path) -> None:
    film = write_media(tmp_path / "slow.mkv", grey_ramp(31).repeat(4, axis=0), fps=1)
    assert film.stat().st_size < 10**6
    assert patience(Video(id="a", path=film)) == pytest.approx(
        LEAST_SECONDS + SECONDS_PER_SECOND * 124, abs=2
    )


def hang_within(path: Path) -> None:
    """A worker's step that never ends, after a tenth of a second beyond what the file's length allows."""
    decoding.LEAST_SECONDS, decoding.SECONDS_PER_SECOND = 0.1, 0.0
    with decoding.bounded(Video(id="a", path=path)):
        while True:
            time.sleep(1)


def test_a_worker_that_hangs_is_ended_by_the_system(tmp_path: Path) -> None:
    process = CONTEXT.Process(target=hang_within, args=(write_media(tmp_path / "a.mkv", grey_ramp(3)),))
    process.start()
    process.join()
    assert process.exitcode == -signal.SIGALRM

"""Encodes clips as mp4 files: H.264 picture, AAC sound.

A group's picture is encoded once and its packets are copied into each clip, so that the pixels of
a group are identical after decoding too.
"""

from io import BytesIO

import av
import numpy as np
from numpy.typing import NDArray

from core.datasets.avworld.world import FPS, PIXELS, RATE

# With x264's macroblock tree, equal pictures now and then gave other bytes (FFmpeg 8.1).
VIDEO_OPTIONS = {"crf": "23", "preset": "veryfast", "g": "8", "threads": "1", "x264-params": "mbtree=0"}
AUDIO_OPTIONS = {"aac_coder": "fast"}
AUDIO_BIT_RATE = 32_000


def encode_picture(frames: NDArray[np.uint8]) -> bytes:
    """An mp4 file without sound of the frames `(F, PIXELS, PIXELS, 3)`."""
    file = BytesIO()
    with av.open(file, "w", format="mp4") as container:
        stream = container.add_stream("libx264", rate=FPS, options=VIDEO_OPTIONS)
        stream.width = stream.height = PIXELS
        stream.pix_fmt = "yuv420p"
        for frame in frames:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
        container.mux(stream.encode())
    return file.getvalue()


def add_sound(picture: bytes, wave: NDArray[np.float32]) -> bytes:
    """The mp4 file `picture` with the sound `wave`, `(T,)` of -1 to 1, beside its copied packets."""
    file = BytesIO()
    with av.open(BytesIO(picture), "r") as source, av.open(file, "w", format="mp4") as container:
        video = container.add_stream_from_template(source.streams.video[0])
        audio = container.add_stream("aac", rate=RATE, layout="mono", options=AUDIO_OPTIONS)
        audio.bit_rate = AUDIO_BIT_RATE
        for packet in source.demux(video=0):
            if packet.dts is not None:
                packet.stream = video
                container.mux(packet)
        frame = av.AudioFrame.from_ndarray(wave[None], format="fltp", layout="mono")
        frame.sample_rate, frame.pts = RATE, 0
        container.mux(audio.encode(frame))
        container.mux(audio.encode())
    return file.getvalue()

"""Golden files of the sound that the authors' loaders hand to their encoders, as their recipe makes it."""

from collections.abc import Callable, Mapping

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from core.batch import Videos
from core.encoders.audio_states import HOP, whisper_log_mel
from core.encoders.fbank import SAMPLE_RATE, avigate_fbank
from core.errors import BenchError
from core.media.hearing import Hearing, as_moviepy_reads, heard, reading_of
from core.media.listening import listen
from core.media.waveform import MOVIEPY_RATE, Sound
from methods.parity.golden import Golden
from methods.parity.inputs import Clips, recipe_of
from methods.parts.audio import segment_audio

BIT_STEP = 1 / 32_768
"""One step of 16-bit sound: versions of FFmpeg round AAC and Opus to it in different ways."""
BANK_TOLERANCE = 2e-4
"""Relative, in the Euclidean norm over the recorded rows or columns."""
BANK_WINDOW = 400
"""Samples of the filter bank's window, 25 ms."""
MEL_FRAMES = 3000
"""Log-mel frames that enter Whisper; its encoder makes a state of two."""


def check_sound(golden: Golden, clips: Clips) -> None:
    """The waveform, its length, and what the method's encoder gets of it."""
    method = golden.setting("method")
    if method not in SOUND_CHECKS:
        raise BenchError(
            f"{golden.path.name}: no sound of {method} is known; known: {', '.join(SOUND_CHECKS)}"
        )
    data = recipe_of(method).data
    hearing = Hearing(data["channels"], data["sound_end"])
    sound = listen(clips.find(golden), reading=reading_of(hearing)).sound
    waveform = heard(sound, sound.end, hearing)
    golden.compare("out.length_16k", torch.tensor(waveform.size))
    SOUND_CHECKS[method](golden, sound, waveform)


def check_avigate_sound(golden: Golden, sound: Sound, waveform: NDArray[np.float32]) -> None:
    """The first channel without its mean, and the filter bank of 1024 frames."""
    golden.compare("in.wav_rate", torch.tensor(sound.rate))
    golden.compare("in.wav_channels", torch.tensor(sound.channels))
    golden.compare("in.wav_length", torch.tensor(sound.planes.shape[1]))
    wave, recorded = torch.from_numpy(waveform), golden.input("out.wave_16k_first")
    # recorded without the mean over all channels; the bank hears no constant, so ours keeps it
    centred = (wave[: recorded.shape[1]] - (wave[: recorded.shape[1]] - recorded[0]).mean())[None]
    golden.compare("out.wave_16k_first", centred, atol=BIT_STEP)
    # whatever the length, 1,024 rows: the hop of the bank is stretched
    shift = wave.numel() * 1000 / (SAMPLE_RATE * 1024)
    golden.compare("out.frame_shift_ms", torch.tensor(shift, dtype=torch.float64))
    hop = int(SAMPLE_RATE * shift / 1000)
    golden.compare("out.rows_before_cut", torch.tensor(1 + (wave.numel() - BANK_WINDOW) // hop))
    golden.compare_relative("out.fbank_rows", avigate_fbank(wave[None])[golden.input("rows")], BANK_TOLERANCE)


def check_gaid_sound(golden: Golden, sound: Sound, waveform: NDArray[np.float32]) -> None:
    """The mean of both channels, Whisper's log-mel followed by zeros, and the bins of its states."""
    golden.compare("in.wav_rate", torch.tensor(MOVIEPY_RATE))
    stereo = as_moviepy_reads(sound)
    golden.compare("in.wav_channels", torch.tensor(stereo.shape[0]))
    golden.compare("in.wav_length", torch.tensor(stereo.shape[1]))
    recorded = golden.input("out.wave_16k_first")
    golden.compare("out.wave_16k_first", torch.from_numpy(waveform)[: recorded.numel()], atol=BIT_STEP)
    golden.compare("out.mel_frames_whole", torch.tensor(waveform.size // HOP))
    from transformers import WhisperFeatureExtractor  # late: it takes seconds

    extractor = WhisperFeatureExtractor()  # type: ignore[no-untyped-call]
    mel = whisper_log_mel(extractor, [waveform], MEL_FRAMES, pad_waveform=False)[0]
    golden.compare_relative("out.mel_columns", mel[:, golden.input("mel_columns")], BANK_TOLERANCE)
    golden.compare("out.bin_edges", state_edges(MEL_FRAMES // 2, golden.input("out.bin_edges").numel() - 1))


def state_edges(states: int, frames: int) -> Tensor:
    """Where the bins of the released alignment begin, and where the last one ends `(frames + 1,)`."""
    videos = Videos(
        frames=torch.zeros(1, frames, 1),
        frame_mask=torch.ones(1, frames, dtype=torch.bool),
        keys=torch.zeros(1, dtype=torch.int64),
        audio=torch.eye(states)[None],
    )
    # states that are a unit matrix: what is averaged is the matrix of weights itself
    weights = segment_audio(videos, "released", 1)[0, :, 0]  # (frames, states): what each bin is a mean of
    positions = torch.arange(states)
    first = [int(positions[row > 0].min()) for row in weights]
    return torch.tensor([*first, int(positions[weights[-1] > 0].max()) + 1])


SOUND_CHECKS: Mapping[str, Callable[[Golden, Sound, NDArray[np.float32]], None]] = {
    "avigate": check_avigate_sound,
    "gaid": check_gaid_sound,
}
"""By the method whose loader was recorded."""

"""Synthesises the sound track of a clip: twelve sounds that captions name, four that they do not.

Every sound repeats within a second, so that any part of a clip holds enough of it to be recognised.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from core.datasets.avworld.script import ScriptedClip
from core.datasets.avworld.world import RATE, WORLD_SECONDS

Waveform = NDArray[np.float64]
Generator = np.random.Generator

REFERENCE = 0.1
"""Root mean square of a sound at level 0 dB, full scale being 1."""
FADE = 0.004
"""Seconds over which a sound fades in and out, enough to avoid a click."""


def track(clip: ScriptedClip) -> NDArray[np.float32] | None:
    """The sound track of a clip, `(RATE * SECONDS,)` of -1 to 1; None for a clip without sound."""
    if not clip.sounds:
        return None
    length = round(RATE * WORLD_SECONDS)
    rng = np.random.default_rng([sound.seed for sound in clip.sounds])
    wave = 10 ** (clip.floor / 20) * rng.standard_normal(length)
    for sound in clip.sounds:
        start, end = round(sound.start * RATE), round(sound.end * RATE)
        gain = REFERENCE * 10 ** (sound.level / 20)
        wave[start:end] += gain * synthesise(sound.name, sound.seed, end - start)
    return wave.clip(-1, 1).astype(np.float32)


def synthesise(name: str, seed: int, length: int) -> Waveform:
    """`length` samples of a sound, of root mean square 1 before its ends are faded."""
    rng = np.random.default_rng(seed)
    time = np.arange(length) / RATE
    wave = SYNTHESISERS[name](rng, time)
    ends = np.minimum(1, np.minimum(time, time[::-1]) / FADE)
    faded: Waveform = wave / np.sqrt(np.mean(wave**2)) * ends
    return faded


def _tone(frequency: Waveform | float, time: Waveform) -> Waveform:
    """A sine of constant or, `(len(time),)` in Hz, changing frequency."""
    turns = np.cumsum(frequency) / RATE if isinstance(frequency, np.ndarray) else frequency * time
    tone: Waveform = np.sin(2 * np.pi * turns)
    return tone


def _since(time: Waveform, period: float, rng: Generator) -> tuple[Waveform, NDArray[np.int64]]:
    """Seconds since the last beat, and the number of that beat, from a random point of the cycle."""
    beat, since = np.divmod(time + rng.uniform(0, period), period)
    return since, beat.astype(np.int64)


def _siren(rng: Generator, time: Waveform) -> Waveform:
    sweep = np.sin(2 * np.pi * (time / rng.uniform(0.7, 1.0) + rng.random()))
    frequency = rng.uniform(800, 1000) + 350 * sweep
    return _tone(frequency, time) + 0.4 * _tone(2 * frequency, time)


def _bell(rng: Generator, time: Waveform) -> Waveform:
    since, _ = _since(time, rng.uniform(0.45, 0.6), rng)
    pitch = rng.uniform(480, 640)
    partials = ((1.0, 1.0), (2.76, 0.7), (5.4, 0.45), (8.93, 0.25))
    wave = np.zeros_like(time)
    for ratio, gain in partials:
        wave += gain * np.exp(-since * (3 + ratio)) * _tone(pitch * ratio, since)
    return wave


def _drum(rng: Generator, time: Waveform) -> Waveform:
    since, _ = _since(time, rng.uniform(0.22, 0.3), rng)
    skin = np.sin(2 * np.pi * (rng.uniform(55, 80) * since + 6 * np.exp(-30 * since)))
    stick = rng.standard_normal(len(time))
    beat: Waveform = np.exp(-18 * since) * skin + 0.15 * np.exp(-60 * since) * stick
    return beat


def _birds(rng: Generator, time: Waveform) -> Waveform:
    since, beat = _since(time, rng.uniform(0.13, 0.2), rng)
    pitch = rng.uniform(3000, 5200, beat[-1] + 1)[beat]
    swell = np.exp(-(((since - 0.045) / 0.025) ** 2))
    chirp: Waveform = swell * np.sin(2 * np.pi * (pitch * since - 9000 * since**2))
    return chirp


def _engine(rng: Generator, time: Waveform) -> Waveform:
    pitch = rng.uniform(45, 70)
    hum = sum((_tone(pitch * k, time) / k for k in range(1, 9)), np.zeros_like(time))
    return hum * (1 + 0.6 * _tone(rng.uniform(9, 14), time))


def _rain(rng: Generator, time: Waveform) -> Waveform:
    hiss = np.diff(rng.standard_normal(len(time) + 1))
    drops = (rng.random(len(time)) < 0.003) * rng.uniform(4, 12, len(time))
    splash = np.exp(-time[:128] * 800) * np.sin(2 * np.pi * rng.uniform(900, 1300) * time[:128])
    return hiss + np.convolve(drops, splash)[: len(time)]


def _notes(rng: Generator, time: Waveform, steps: tuple[int, ...]) -> Waveform:
    """A melody of semitone steps that starts over at its end."""
    since, beat = _since(time, rng.uniform(0.13, 0.16), rng)
    ladder = rng.uniform(260, 360) * 2 ** (np.array(steps) / 12)
    pitch = ladder[beat % len(steps)]
    tone = sum((np.sin(2 * np.pi * pitch * k * since) / k**1.5 for k in (1, 2, 3)), np.zeros_like(time))
    note: Waveform = tone * np.exp(-5 * since)
    return note


def _rising(rng: Generator, time: Waveform) -> Waveform:
    return _notes(rng, time, (0, 2, 4, 7, 9, 12))


def _falling(rng: Generator, time: Waveform) -> Waveform:
    return _notes(rng, time, (12, 9, 7, 4, 2, 0))


FORMANTS = np.array([(730, 1090), (270, 2290), (300, 870), (530, 1840), (570, 840)])
"""First two formants in Hz of five vowels (Peterson and Barney 1952, men)."""


def _speech(rng: Generator, time: Waveform) -> Waveform:
    since, beat = _since(time, rng.uniform(0.17, 0.23), rng)
    vowel = FORMANTS[rng.integers(len(FORMANTS), size=beat[-1] + 1)]
    pitch = rng.uniform(100, 180)
    wave = np.zeros_like(time)
    for k in range(1, 24):
        gain = np.exp(-(((k * pitch - vowel) / 120) ** 2)) @ np.array([1, 0.6]) + 0.02
        wave += gain[beat] * _tone(pitch * k, time)
    syllable: Waveform = np.sin(np.pi * since / since.max()) ** 2
    return wave * syllable


def _clock(rng: Generator, time: Waveform) -> Waveform:
    since, beat = _since(time, rng.uniform(0.22, 0.28), rng)
    pitch = np.where(beat % 2, 2600, 1900) * rng.uniform(0.9, 1.1)
    tick: Waveform = np.exp(-120 * since) * np.sin(2 * np.pi * pitch * since)
    return tick


def _buzzer(rng: Generator, time: Waveform) -> Waveform:
    pitch = rng.uniform(170, 230)
    buzz: Waveform = np.tanh(4 * _tone(pitch, time)) + 0.3 * np.tanh(4 * _tone(pitch * 1.5, time))
    return buzz


def _whistle(rng: Generator, time: Waveform) -> Waveform:
    frequency = rng.uniform(1900, 2500) + 40 * _tone(rng.uniform(5, 8), time)
    return _tone(frequency, time) + 0.05 * rng.standard_normal(len(time))


def _noise(rng: Generator, time: Waveform) -> Waveform:
    memory = rng.uniform(0.6, 0.9) ** np.arange(32)
    return np.convolve(rng.standard_normal(len(time)), memory)[: len(time)]


CHORD = (1, 1.26, 1.5, 2, 2.52)
"""A major triad over one and a third octaves, as ratios to its root."""


def _music(rng: Generator, time: Waveform) -> Waveform:
    since, beat = _since(time, rng.uniform(0.7, 1.0), rng)
    root = (rng.uniform(130, 200) * 2 ** (rng.integers(0, 6, beat[-1] + 1) / 6))[beat]
    chord = sum((np.sin(2 * np.pi * root * ratio * since) for ratio in CHORD), np.zeros_like(time))
    music: Waveform = chord * np.minimum(1, since / 0.05)
    return music


def _pips(rng: Generator, time: Waveform, lowest: float) -> Waveform:
    """Eight bursts a second, which leave half of the time to the sound that they accompany."""
    pitch = rng.uniform(lowest, lowest + 600)
    since, _ = _since(time, 1 / 8, rng)
    return (since < 0.065) * _tone(pitch, time)


def _high_pips(rng: Generator, time: Waveform) -> Waveform:
    return _pips(rng, time, 6200)


def _low_pips(rng: Generator, time: Waveform) -> Waveform:
    return _pips(rng, time, 4400)


SYNTHESISERS: dict[str, Callable[[Generator, Waveform], Waveform]] = {
    "siren": _siren,
    "bell": _bell,
    "drum": _drum,
    "birds": _birds,
    "engine": _engine,
    "rain": _rain,
    "rising": _rising,
    "falling": _falling,
    "speech": _speech,
    "clock": _clock,
    "buzzer": _buzzer,
    "whistle": _whistle,
    "noise": _noise,
    "music": _music,
    "high pips": _high_pips,
    "low pips": _low_pips,
}
"""A function per sound, from a generator and the time of each sample in seconds to the samples."""

"""`NAME:fastest`: an audio encoder in the precision that is faster on this machine.

The command measures it before anything else is done, once for a machine, and runs the encoder of that name:
spec, folder, tables and protocol say `NAME` or `NAME:bfloat16`, and never `NAME:fastest`.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import nn

from core.encoders.audio import FASTEST, FRONTENDS, AudioEncoder
from core.encoders.entry import IN_FILE, place_of, split_variant
from core.encoders.published import model_type
from core.errors import BenchError
from core.media.waveform import SOUND_RATE
from core.progress import Progress
from core.remembered import recalled, remembered
from core.running.matrix import Matrix, union
from core.running.models import chosen_device
from core.runs import hardware
from core.spec import RunSpec
from core.timing.clock import alternated, median_seconds
from core.versions import package_version

LOWER = "bfloat16"
"""The variant that is measured beside the plain encoder."""
GAIN = 1.05
"""How many times as fast it must be to be taken: what is less changes with the hour."""
HEARD_AT_ONCE, TIMED = 2, 5
"""Clips that are heard at once, and times that each precision is timed."""


def with_fastest(specs: Sequence[RunSpec], progress: Progress, *, measure: bool) -> list[RunSpec]:
    """The cells with the name of the precision that was chosen in the place of `:fastest`.

    Cells that are the same then come once. Where it was not chosen yet and nothing is to be measured, they
    keep that name. Raises `BenchError` for an
    encoder without a choice, and where its weights are missing.
    """
    asked = {spec.audio_encoder for spec in specs if split_variant(spec.audio_encoder)[1] == FASTEST}
    names = {name: chosen_precision(name, progress, measure=measure) for name in sorted(asked)}
    own = [names.get(spec.audio_encoder, spec.audio_encoder) for spec in specs]
    cells = [spec.model_copy(update={"audio_encoder": name}) for spec, name in zip(specs, own, strict=True)]
    return union([Matrix(cells)]).cells


def chosen_precision(name: str, progress: Progress, *, measure: bool) -> str:
    """The encoder that `NAME:fastest` is on this machine; says so. See `with_fastest`."""
    base, _ = split_variant(name)
    if base == IN_FILE:
        raise BenchError(f"{name}: a checkpoint's own encoder has one precision; name another encoder")
    folder = place_of("audio encoder", base, progress)
    kind = model_type(folder)
    if LOWER not in FRONTENDS.get(kind, {}):
        has = [known for known, variants in FRONTENDS.items() if LOWER in variants]
        raise BenchError(
            f"{name}: an encoder of type '{kind}' runs in float32 alone; {', '.join(has)} has both"
        )
    files = sorted(file for file in folder.rglob("*") if file.is_file())
    what = [f"{FASTEST} precision", *machine()]
    if measure:
        found: Mapping[str, Any] | None = remembered("encoders", files, what, lambda: measured(base))
    else:
        found = recalled("encoders", files, what)
    if found is None:
        return name
    ratio = float(found["float32"]) / float(found[LOWER])
    own = f"{base}:{LOWER}" if ratio >= GAIN else base
    progress.say(f"{name} is {own} here: bfloat16 was measured {ratio:.2f} times as fast as float32")
    return own


def machine() -> list[str]:
    """What the choice depends on beside the weights."""
    return [str(value) for value in hardware().values()] + [package_version("torch")]


def measured(base: str) -> dict[str, float]:
    """Seconds of each precision on this machine: medians of alternating passes over clips of full length."""
    device = chosen_device()
    plain, lower = AudioEncoder.load(base), AudioEncoder.load(f"{base}:{LOWER}")
    seconds = plain.positions / plain.valid_states(1.0)
    noise = np.random.default_rng(0).normal(0, 0.1, (HEARD_AT_ONCE, round(seconds * SOUND_RATE)))
    samples = list(noise.astype(np.float32))
    calls = {}
    for precision, audio in (("float32", plain), (LOWER, lower)):
        nn.Module.to(audio.encoder, device)  # transformers annotates its own with another type
        calls[precision] = torch.inference_mode()(lambda audio=audio: audio.run(samples))
        calls[precision]()
    times = alternated(calls, TIMED, device)
    return {precision: median_seconds(times[precision]).wall for precision in calls}

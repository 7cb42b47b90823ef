"""The gate over time: frames, sound as wave and spectrogram, gate per frame, the span that matters."""

import math
import textwrap
from collections.abc import Sequence

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from torch import Tensor

from core.data_options import DataOptions
from core.dataset import Split
from core.datasets import find_dataset, load_dataset
from core.errors import BenchError
from core.evaluation.statistics import auroc
from core.progress import Silent
from core.store.store import Store
from reports.collect import Run
from reports.figures.spectrogram import draw_spectrogram
from reports.figures.style import BLUE, GREY, ORANGE, explain_labels
from reports.gates import Gates, sign_note
from reports.stores import store_of

GATE_TITLE_WIDTH = 74
"""Characters of a caption that fit over a column."""
STILL = 1e-3
"""Deviation up to which a gate counts as the same in all frames."""


def typical_clip(gates: Tensor, truth: Tensor, rows: Sequence[int]) -> int:
    """The clip with the median AUROC among `rows`, so that the picture flatters nobody."""
    scores = [(auroc(gates[row], truth[row]), row) for row in rows]
    return sorted(scores)[len(scores) // 2][1]


def draw_clip(
    axes: Sequence[Axes], store: Store, row: int, gate: Tensor, split: Split, video: int, caption: str
) -> None:
    """Draws one clip into four axes from top to bottom: frames, waveform, spectrogram, gate."""
    frames, sound = store.frames(row), store.waveform(row)
    duration = float(store.duration[row])
    strip, wave, bands, curve = axes
    strip.imshow(np.concatenate(list(frames), axis=1), extent=(0, duration, 0, 1), aspect="auto")
    title = textwrap.fill(f"{split.videos[video].id}: “{caption}”", GATE_TITLE_WIDTH)
    strip.set_title(title, fontsize=8, loc="left")
    strip.set_ylabel("frames", fontsize=7)
    strip.set_yticks([])
    times = np.linspace(0, duration, len(sound), endpoint=False)
    wave.plot(times, sound, color=GREY, linewidth=0.4, rasterized=True)
    wave.set_ylabel("waveform", fontsize=7)
    wave.yaxis.set_major_locator(MaxNLocator(3, symmetric=True))
    draw_spectrogram(bands, sound, duration)
    edges = np.linspace(0, duration, len(gate) + 1)
    curve.stairs(gate.numpy(), edges, color=BLUE, linewidth=1.8, label="gate: weight of sound")
    curve.set_ylabel("gate", fontsize=7)
    if split.truth is not None:
        for start, end in split.truth[video].relevant:
            for position, axis in enumerate((wave, curve)):
                axis.axvspan(
                    start, end, color=ORANGE, alpha=0.25, lw=0, label="sound matters" if position else None
                )
            for edge in (start, end):
                bands.axvline(edge, color=ORANGE, linewidth=1.2)  # a span would hide what it marks
    for axis in axes:
        axis.set_xlim(0, duration)
        axis.set_xlabel("seconds", fontsize=6, labelpad=1)
        axis.tick_params(labelsize=6)


def scale_gates(axes: Sequence[Axes], gates: Gates) -> None:
    """One scale for the gates of a figure, from 0 to 1 unless some value of the run lies outside."""
    low, high = min(0, math.floor(gates.values.min())), max(1, math.ceil(gates.values.max()))
    for axis in axes:
        axis.set_ylim(low, high)
        axis.set_ylabel(f"gate ({low} to {high})", fontsize=7)
        if low < 0:
            axis.axhline(0, color=GREY, linewidth=0.8)


def gate_figure(run: Run, split_name: str = "test") -> Figure:
    """A figure of one typical clip per stratum in which the sound matters for a part of the clip."""
    stored = run.gates[split_name]
    gates, videos = stored.values, stored.video
    store = store_of(run)
    split = load_dataset(run.spec.dataset, Silent(), workers=1).splits[split_name]
    if stored.truth is None or split.truth is None:
        raise BenchError(f"{run.name}: its data set no longer says where the sound matters")
    if int(videos.max()) >= len(split.videos) or int(videos.min()) < 0:
        raise run.directory.damaged(
            "gates.safetensors", f"'{split_name}/video' names videos that do not exist"
        )
    truth = stored.truth
    partly = [row for row in range(len(videos)) if 0 < int(truth[row].sum()) < truth.shape[1]]
    strata = dict.fromkeys(split.truth[int(videos[row])].stratum for row in partly)
    figure, grid = plt.subplots(
        4,
        len(strata),
        figsize=(5.2 * len(strata), 5.2),
        squeeze=False,
        height_ratios=(0.65, 0.7, 0.9, 1.2),
        layout="constrained",
    )
    row_of = {name: row for row, name in enumerate(store.ids)}
    captions: dict[int, str] = {}
    for text, video in zip(split.captions, split.video_of_caption, strict=True):
        captions.setdefault(video, text)
    for column, stratum in enumerate(strata):
        rows = [row for row in partly if split.truth[int(videos[row])].stratum == stratum]
        chosen = typical_clip(gates, truth, rows)
        video = int(videos[chosen])
        draw_clip(
            list(grid[:, column]),
            store,
            row_of[split.videos[video].id],
            gates[chosen],
            split,
            video,
            captions[video],
        )
    grid[-1, 0].legend(fontsize=6, ncols=2, frameon=False, loc="lower left", bbox_to_anchor=(0, 0.97))
    scale_gates(grid[-1], stored)
    explain_labels(figure, [sign_note(stored)])
    figure.suptitle(
        f"{run.label} on {run.spec.dataset}: the gate of a typical clip ({', '.join(strata)})",
        fontsize=9,
    )
    return figure


def gate_moves(run: Run) -> bool:
    """Whether the gate of some clip differs between its frames."""
    return bool((run.gates["test"].values.std(dim=1) > STILL).any())


def first_gate_figure(runs: Sequence[Run]) -> Figure | str:
    """The first run that has a gate per frame and a known truth, drawn; or why there is none.

    One whose gate moves goes before one whose gate is the same in all frames of a clip. A run whose data are
    no longer in the cache, or in another version, is passed over.
    """
    drawable = []
    for run in runs:
        gates, entry = run.gates.get("test"), find_dataset(run.spec.dataset)
        same = entry.has_truth and entry.ready()
        same = same and entry.fingerprint(DataOptions()) == run.manifest.fingerprints.get("dataset")
        if (
            same
            and gates is not None
            and gates.per_frame
            and gates.truth is not None
            and partly_true(gates.truth)
        ):
            drawable.append(run)
    for run in sorted(drawable, key=lambda run: not gate_moves(run))[:1]:
        try:
            return gate_figure(run)
        except BenchError as error:
            return str(error)
    return "no run has a gate per frame on clips in the cache whose truth is known"


def partly_true(truth: Tensor) -> bool:
    """Whether the sound matters for a part of some clip, from truth `(B, F)`."""
    return bool((truth.any(1) & ~truth.all(1)).any())

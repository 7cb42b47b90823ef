"""What is seen and heard in one file: its sampled frames over its spectrogram."""

from pathlib import Path

from matplotlib.figure import Figure

from core.media.looking import Look
from core.media.waveform import SOUND_RATE
from core.paths import written_whole
from reports.figures.spectrogram import draw_spectrogram

FIGURE_WIDTH, HEIGHT = 12.0, 3.6
"""Inches."""


def draw_look(found: Look, file: Path) -> None:
    """Writes the picture; frames stand where they are shown, as far as they find room."""
    figure = Figure(figsize=(FIGURE_WIDTH, HEIGHT))
    duration = max(found.duration, found.waveform.size / SOUND_RATE, 1e-3)
    frames = found.clip.frames if found.clip else None
    shown = [] if frames is None else list(zip(frames.pixels, frames.times, frames.mask, strict=True))
    real = [(pixels, time) for pixels, time, mask in shown if mask]
    grid = figure.add_gridspec(2, max(len(real), 1), hspace=0.35, wspace=0.05)
    for slot, (pixels, time) in enumerate(real):
        panel = figure.add_subplot(grid[0, slot])
        panel.imshow(pixels)
        panel.set_title(f"{time:.2f} s", fontsize=7)
        panel.axis("off")
    if not real:
        panel = figure.add_subplot(grid[0, 0])
        panel.text(0.5, 0.5, found.reason, ha="center", va="center", fontsize=8)
        panel.axis("off")
    below = figure.add_subplot(grid[1, :])
    draw_spectrogram(below, found.waveform, found.waveform.size / SOUND_RATE)
    below.set_xlim(0, duration)
    below.set_xlabel("s", fontsize=7)
    if not found.waveform.size:
        below.set_title(f"no sound: {found.heard.sound.reason}", fontsize=8)
    with written_whole(file) as temporary:
        figure.savefig(temporary, format="png", dpi=120, bbox_inches="tight")

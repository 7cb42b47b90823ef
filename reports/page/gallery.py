"""The gate gallery: some clips of every run that has gates, with their sound and the gate over it."""

from collections.abc import Sequence
from typing import Any

from reports.collect import Run
from reports.page.failures import PAGE_RESULTS, first_seeds, gates_by_video
from reports.page.library import Library

PER_STRATUM = 2
"""Clips of each stratum; of all clips together where there are no strata."""


def gate_gallery(runs: Sequence[Run], library: Library) -> list[dict[str, Any]]:
    """Clips with their gates: of each stratum those whose gates move most, by run."""
    found = []
    for run in first_seeds(runs):
        answers, gates = run.answers[PAGE_RESULTS], gates_by_video(run)
        first: dict[str, int] = {}
        for row, video in enumerate(answers.video.tolist()):
            if video in gates:
                first.setdefault(video, row)
        moving = sorted(first, key=lambda video: -reach(gates[video]["gate"]))
        strata: dict[str, list[str]] = {}
        for video in moving:
            strata.setdefault(str(answers.stratum[first[video]]), []).append(video)
        for stratum, videos in sorted(strata.items()):
            for video in videos[:PER_STRATUM]:
                found.append(
                    {
                        "label": run.label,
                        "data": run.spec.dataset,
                        "text": str(answers.text[first[video]]),
                        "video": video,
                        "stratum": stratum,
                        "clip": library.key(run, video),
                        **gates[video],
                    }
                )
    return found


def reach(gate: Sequence[float]) -> float:
    """How far the gate of a clip moves."""
    return max(gate) - min(gate)

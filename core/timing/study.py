"""The study: every work against every gallery, its implementations in turn, medians."""

from collections.abc import Callable

import torch

from core.batch import Videos
from core.progress import Progress
from core.runs import hardware
from core.threads import torch_threads
from core.timing.arithmetic import gemm_rate
from core.timing.clock import alternated
from core.timing.engines import ENGINES, EngineSide
from core.timing.plan import Plan
from core.timing.records import Measurement, Study
from core.timing.released import ReleasedSide
from core.timing.works import Work, random_texts, random_videos


def run_study(plan: Plan, progress: Progress) -> Study:
    """Measures everything in this process."""
    rows: list[Measurement] = []
    released: dict[Work, ReleasedSide] = {}
    with torch_threads(plan.threads), progress.task("timing", len(plan.videos) * len(plan.works)) as advance:
        for count in plan.videos:
            videos = random_videos(count, plan.setting, plan.device)
            for work in plan.works:
                rows += measure(plan, work, videos, released)
                advance(1, f"{work.method} {work.perturbation}, {count} videos")
        ceiling = gemm_rate(plan.device)
    machine = hardware()
    return Study(
        device=machine["gpu"] if plan.device.type == "cuda" else machine["processor"],
        clock="GPU" if plan.device.type == "cuda" else "CPU",
        threads=plan.threads,
        torch=torch.__version__,
        gemm_gflop_per_second=ceiling,
        frames=plan.setting.frames,
        width=plan.setting.width,
        trials=plan.setting.trials,
        repeats=plan.repeats,
        rows=tuple(rows),
    )


def measure(plan: Plan, work: Work, videos: Videos, released: dict[Work, ReleasedSide]) -> list[Measurement]:
    """The rows of one work against one gallery; `released` keeps what the first gallery has measured."""
    method = work.build(plan.setting).to(plan.device)
    texts = random_texts(plan.texts, plan.setting, plan.device)
    if work not in released:
        size = min(plan.released_videos, *plan.videos)
        released[work] = ReleasedSide(work, method, plan.setting, size, plan.device)
    loops = released[work]
    engines = [EngineSide(kind, work, method, texts, videos) for kind in ENGINES]
    able = [side for side in engines if not side.obstacle]
    builds = alternated(
        {side.implementation: side.build for side in able}, plan.repeats, plan.device, plan.budget
    )
    for side in able:
        side.prepare(plan.budget)
    calls: dict[str, Callable[[], object]] = {side.implementation: side.query for side in able}
    if not loops.obstacle and not loops.laps:
        calls["as released"] = loops.query
    times = alternated(calls, plan.repeats, plan.device)
    rows = [loops.measurement(len(texts), len(videos))]
    for side in engines:
        name = side.implementation
        rows.append(side.measurement(builds.get(name, []), times.get(name, []), plan.budget))
    return rows

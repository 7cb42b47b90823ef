"""Golden traces of the engine's own parts: optimisers, frame sampling, sound front end, rescoring, metrics.

Sizes, rates, totals and case names are read from tensor names and metadata, never assumed.
"""

import re
from collections.abc import Callable

import torch
from torch import Tensor, nn

from core.encoders.fbank import SAMPLE_RATE, avigate_fbank
from core.errors import BenchError
from core.evaluation.rescoring import qb_norm, query_bank
from core.media.sampling import Position, one_per_second, segment_centres, segment_indices
from core.threads import torch_threads
from core.training.optimizers import BertAdam, MomentOptimizer, XPoolAdamW, bert_warmup_cosine, warmup_cosine
from methods.parity.golden import Golden, GoldenCheck
from methods.parity.metrics import check_clip4clip_metrics, check_xpool_metrics

FBANK_TOLERANCE = 2e-4
"""The logarithm of a nearly empty mel bin magnifies the last digit of the Fourier transform, which differs
between processors; float64 and the recording differ by 6e-5 too."""

NOMINAL_RATES = {"11": 11_025, "22": 22_050, "44": 44_100}
"""Hz of the rates whose usual short name in kHz is rounded."""

TAKEN_FRAMES: dict[str, Position] = {"0": "head", "1": "tail", "2": "uniform"}
"""CLIP4Clip's `slice_framepos`."""


def rate_in_hertz(number: str, kilo: str) -> int:
    """The sampling rate in a tensor's name: 16k, 44k, 44.1k or 44100."""
    return NOMINAL_RATES.get(number, round(1000 * float(number))) if kilo else int(number)


def check_fbank(golden: Golden) -> None:
    """`wave_<clip>_<rate>[_stereo]` -> `fbank_<clip>`; a clip without a wave is one without a file."""
    if golden.integer("sample_rate") != SAMPLE_RATE:
        raise BenchError(
            f"{golden.path.name}: sample_rate {golden.setting('sample_rate')} is not {SAMPLE_RATE}"
        )
    pattern = r"wave_(.+)_([\d.]+)(k?)(?:_[a-z]+)?"
    # the rate of a clip is in the name of its wave
    waves = {match[1]: match for name in golden.names() if (match := re.fullmatch(pattern, name))}
    for name in golden.names():
        if not name.startswith("fbank_"):
            continue
        match = waves.get(name.removeprefix("fbank_"))
        with torch_threads(1):  # sums in the order of the recordings
            ours = avigate_fbank(
                golden.input(match.string) if match else None,
                rate_in_hertz(match[2], match[3]) if match else SAMPLE_RATE,
                frames=golden.integer("frames"),
                bins=golden.integer("mel_bins"),
                mean=golden.number("mean"),
                std=golden.number("std"),
            )
        golden.compare(name, ours, atol=FBANK_TOLERANCE)


def check_adamw(golden: Golden) -> None:
    """`p0`, `grad0` -> `p1`, `grad1` -> ...: one parameter at a constant rate."""
    betas = _betas(golden)
    parameter = nn.Parameter(golden.input("p0"))
    optimizer = XPoolAdamW(
        [parameter], golden.number("lr"), betas, golden.number("eps"), golden.number("weight_decay")
    )
    for step in range(_count(golden, r"grad\d+")):
        _step(optimizer, {parameter: golden.input(f"grad{step}")}, factor=1.0)
        golden.compare(f"p{step + 1}", parameter)


def check_adamw_schedule(golden: Golden) -> None:
    """`<p>_init`, `<p>_grads` -> `<p>_traj`, `lr_used` `(steps, parameters)` with warm-up and cosine."""
    total, warmup = golden.integer("total_steps"), golden.integer("warmup_steps")
    decay, eps, betas = golden.number("weight_decay"), golden.number("eps"), _betas(golden)
    names = _traced(golden)
    parameters = [nn.Parameter(golden.input(f"{name}_init")) for name in names]
    rates = [golden.number(f"lr_{name}") for name in names]
    # a group each, because each has a rate of its own
    groups = [{"params": [p], "lr": rate} for p, rate in zip(parameters, rates, strict=True)]
    optimizer = XPoolAdamW(groups, betas=betas, eps=eps, weight_decay=decay)
    used = _compare_traces(golden, optimizer, names, lambda step: warmup_cosine(step, total, warmup))
    golden.compare("lr_used", used)


def check_bertadam_schedule(golden: Golden) -> None:
    """`<p>_init`, `<p>_grads` -> `<p>_traj` with CLIP4Clip's optimiser and schedule."""
    total, warmup = golden.integer("t_total"), golden.number("warmup")
    names = _traced(golden)
    groups = [
        {
            "params": [nn.Parameter(golden.input(f"{name}_init"))],
            "lr": golden.number(f"lr_{name}"),
            "weight_decay": golden.number(f"weight_decay_{name}"),
        }
        for name in names
    ]
    optimizer = BertAdam(
        groups,
        betas=(golden.number("b1"), golden.number("b2")),
        eps=golden.number("e"),
        max_grad_norm=golden.number("max_grad_norm"),
    )
    _compare_traces(golden, optimizer, names, lambda step: bert_warmup_cosine(step, total, warmup))


def check_bertadam(golden: Golden) -> None:
    """`<p>0`, `grad_<p>0` -> `<p>1`, ... per parameter, the schedule's factors, a half-precision trace."""
    total, warmup = golden.integer("t_total"), golden.number("warmup")
    betas, eps = (golden.number("b1"), golden.number("b2")), golden.number("eps")
    names = sorted({match[1] for name in golden.names() if (match := re.fullmatch(r"grad_(.+?)\d+", name))})
    for name in names:
        parameter = nn.Parameter(golden.input(f"{name}0"))
        # biases and norms are recorded without a decay
        decay = golden.number(f"weight_decay_{name}") if f"weight_decay_{name}" in golden.meta else 0.0
        optimizer = BertAdam([parameter], golden.number(f"lr_{name}"), betas, eps, decay)
        for step in range(_count(golden, rf"grad_{name}\d+")):
            gradient = golden.input(f"grad_{name}{step}")
            _step(optimizer, {parameter: gradient}, bert_warmup_cosine(step, total, warmup))
            golden.compare(f"{name}{step + 1}", parameter)
    for name in golden.names():
        if match := re.fullmatch(r"lr_factor_step(\d+)_to_(\d+)", name):
            steps = range(int(match[1]), int(match[2]) + 1)
            factors = [bert_warmup_cosine(step, total, warmup) for step in steps]
            golden.compare(name, torch.tensor(factors, dtype=torch.float64))
    if "half.p0" in golden.names():
        _compare_half(golden, betas, eps, warmup)


def _compare_half(golden: Golden, betas: tuple[float, float], eps: float, warmup: float) -> None:
    """A float16 parameter, without decay, after all of `half.grads` `(steps, ...)`."""
    # float16 weights with moments of the same precision, as CLIP4Clip trains its towers
    total, gradients = golden.integer("t_total_half"), golden.input("half.grads")
    parameter = nn.Parameter(golden.input("half.p0"))
    optimizer = BertAdam([parameter], golden.number("lr_half"), betas, eps, weight_decay=0.0)
    for step, gradient in enumerate(gradients):
        _step(optimizer, {parameter: gradient}, bert_warmup_cosine(step, total, warmup))
    golden.compare(f"half.p{len(gradients)}", parameter)


def check_one_per_second(golden: Golden) -> None:
    """`n<total>_fps<rate>_slice<position>.frame_index|mask`."""
    if golden.setting("feature_framerate") != "1":
        raise BenchError(
            f"{golden.path.name}: {golden.setting('feature_framerate')} frames per second; the rule takes 1"
        )
    for name in golden.names():
        if match := re.fullmatch(r"n(\d+)_fps([\d.]+)_slice([012])\.(frame_index|mask)", name):
            total, fps, position = int(match[1]), float(match[2]), TAKEN_FRAMES[match[3]]
            indices, mask = one_per_second(total, fps, golden.integer("max_frames"), position)
            golden.compare(
                name, torch.tensor(indices if match[4] == "frame_index" else mask, dtype=torch.int64)
            )


def check_segment_centres(golden: Golden) -> None:
    """`total<n>_F<frames>.idx_list|frames_returned`."""
    for name in golden.names():
        if match := re.fullmatch(r"total(\d+)_F(\d+)\.(idx_list|frames_returned)", name):
            rule = segment_indices if match[3] == "idx_list" else segment_centres
            golden.compare(name, torch.tensor(rule(int(match[1]), int(match[2]))))


def check_qb_norm(golden: Golden) -> None:
    """`in.bank_sims` `(M, V)`, `in.sims` `(N, V)` -> `out.k<K>_beta<BETA>` `(N, V)`."""
    bank, scores = golden.input("in.bank_sims"), golden.input("in.sims")
    for name in golden.names():
        if match := re.fullmatch(r"out\.k(\d+)_beta([\d.]+)", name):
            golden.compare(name, qb_norm(scores, query_bank(bank, beta=float(match[2]), k=int(match[1]))))


def _traced(golden: Golden) -> list[str]:
    """The parameters of a trace file, in the order of their names."""
    return [name.removesuffix("_init") for name in golden.names() if name.endswith("_init")]


def _compare_traces(
    golden: Golden, optimizer: MomentOptimizer, names: list[str], schedule: Callable[[int], float]
) -> Tensor:
    """Steps through `<p>_grads` `(steps, ...)` against `<p>_traj`; the rates used, `(steps, parameters)`."""
    parameters = [group["params"][0] for group in optimizer.param_groups]
    gradients = [golden.input(f"{name}_grads") for name in names]
    rates, trajectories = [], []
    # all parameters take step k before any takes step k + 1: the schedule counts steps, not calls
    for step, at_step in enumerate(zip(*gradients, strict=True)):
        rates.append(_step(optimizer, dict(zip(parameters, at_step, strict=True)), schedule(step)))
        # a copy: the optimiser writes in place
        trajectories.append([p.detach().clone() for p in parameters])
    for name, trajectory in zip(names, zip(*trajectories, strict=True), strict=True):
        golden.compare(f"{name}_traj", torch.stack(trajectory))
    return torch.tensor(rates)


def _step(optimizer: MomentOptimizer, gradients: dict[nn.Parameter, Tensor], factor: float) -> list[float]:
    """One step at `factor` times each group's first rate; the rates used."""
    for parameter, gradient in gradients.items():
        parameter.grad = gradient
    for group in optimizer.param_groups:
        group["lr"] = group.setdefault("initial_lr", group["lr"]) * factor
    optimizer.step()
    return [group["lr"] for group in optimizer.param_groups]


def _betas(golden: Golden) -> tuple[float, float]:
    """`betas` of the metadata, two numbers with a comma."""
    first, second = golden.setting("betas").split(",")
    return float(first), float(second)


def _count(golden: Golden, pattern: str) -> int:
    """How many tensors have a name of that pattern."""
    return sum(re.fullmatch(pattern, name) is not None for name in golden.names())


ENGINE_CHECKS: dict[str, GoldenCheck] = {
    "avigate.fbank": check_fbank,
    "optim.adamw": check_adamw,
    "optim.adamw_schedule": check_adamw_schedule,
    "optim.bertadam": check_bertadam,
    "optim.bertadam_schedule": check_bertadam_schedule,
    "frames.one_per_second": check_one_per_second,
    "frames.segment_centres": check_segment_centres,
    "metrics.clip4clip": check_clip4clip_metrics,
    "metrics.xpool": check_xpool_metrics,
    "rescoring.qb_norm": check_qb_norm,
}
"""The check of each kind of golden file that concerns no method."""

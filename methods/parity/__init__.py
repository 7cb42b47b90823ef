"""Parity with the authors' code: recorded tensors of their modules, recomputed with ours.

`run_parity` checks a folder of golden files, a row per file. The metadata key `kind` chooses the check; all
else (heads, layers, priors, weights, rates) comes from the metadata and the tensors' shapes.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from core.errors import BenchError
from methods.parity.engine import ENGINE_CHECKS
from methods.parity.golden import Golden, GoldenCheck
from methods.parity.heads import check_avigate, check_clip4clip
from methods.parity.heads_bases import check_dicosa, check_emcl, check_qb_norm_theta
from methods.parity.heads_cae_av import check_caste_case
from methods.parity.heads_gaid import check_gaid
from methods.parity.heads_geometry import check_gram, check_pmrl, check_triangle
from methods.parity.heads_omni import check_save, check_valor, check_vast
from methods.parity.heads_tmass import (
    check_tmass_components,
    check_tmass_evaluation,
    check_tmass_init,
    check_tmass_training,
)
from methods.parity.heads_uatvr import check_uatvr
from methods.parity.heads_words import check_drl, check_xclip
from methods.parity.heads_xpool import (
    check_xpool_baselines,
    check_xpool_dropout,
    check_xpool_evaluation,
    check_xpool_pooling,
)
from methods.parity.inputs import ClipNotFound, Clips, check_frames
from methods.parity.inputs_sound import check_sound

GOLDEN_CHECKS: Mapping[str, GoldenCheck] = {
    "xpool.pooling": check_xpool_pooling,
    "xpool.pooling_dropout": check_xpool_dropout,
    "xpool.baseline_pooling": check_xpool_baselines,
    "xpool.evaluation": check_xpool_evaluation,
    "tmass.components": check_tmass_components,
    "tmass.init": check_tmass_init,
    "tmass.training": check_tmass_training,
    "tmass.evaluation": check_tmass_evaluation,
    "clip4clip.similarity": check_clip4clip,
    "avigate.head": check_avigate,
    "gaid.head": check_gaid,
    "cae_av.caste_case": check_caste_case,
    "xclip.head": check_xclip,
    "drl.head": check_drl,
    "emcl.head": check_emcl,
    "dicosa.head": check_dicosa,
    "rescoring.qb_norm_theta": check_qb_norm_theta,
    "uatvr.head": check_uatvr,
    "gram.head": check_gram,
    "triangle.head": check_triangle,
    "pmrl.loss": check_pmrl,
    "vast.head": check_vast,
    "valor.head": check_valor,
    "save.head": check_save,
    **ENGINE_CHECKS,
}
"""The check of each kind."""

INPUT_CHECKS: Mapping[str, Callable[[Golden, Clips], None]] = {
    "inputs.frames": check_frames,
    "inputs.sound": check_sound,
}
"""The check of each kind that needs a clip, which is in no golden file."""

Agreement = Literal["agrees", "off", "unknown", "no clip"]


@dataclass(frozen=True)
class ParityRow:
    """What became of one golden file."""

    file: str
    """File name."""
    kind: str
    """What the file holds; empty where it does not say."""
    error: float
    """Largest max|difference| / max(1, max|reference|), of the tensor that is worst for its tolerance."""
    tensor: str
    """Name of that tensor."""
    verdict: Agreement
    """`unknown`: a kind without a check; `no clip`: no folder of clips was named, so nothing was compared."""
    message: str
    """What is wrong or left out; empty where all is well."""

    @property
    def fails(self) -> bool:
        """Whether the row makes the command fail."""
        return self.verdict not in ("agrees", "no clip")


def run_parity(folder: Path, clips: Sequence[Path] = ()) -> list[ParityRow]:
    """A row per safetensors file of a folder, by name; `clips` are folders with the clips of recorded inputs.

    Raises `BenchError` where there is no such file, and for a folder of clips that does not exist.
    """
    if lost := next((place for place in clips if not place.is_dir()), None):
        raise BenchError(f"{lost}: no such folder; name the folder that holds the clips")
    files = sorted(folder.glob("*.safetensors"))
    if not files:
        raise BenchError(
            f"{folder}: no *.safetensors file there; name the folder that holds the golden files"
        )
    return [check_file(path, clips) for path in files]


def check_file(path: Path, clips: Sequence[Path] = ()) -> ParityRow:
    """Checks one file. Whatever is wrong with it becomes a failing row.

    A clip that is not there fails only where folders of clips are named.
    """
    try:
        golden = Golden(path)
    except BenchError as error:
        return ParityRow(path.name, "", math.nan, "", "off", str(error))
    if golden.kind not in GOLDEN_CHECKS and golden.kind not in INPUT_CHECKS:
        return ParityRow(path.name, golden.kind, math.nan, "", "unknown", f"unknown kind '{golden.kind}'")
    try:
        if golden.kind in INPUT_CHECKS:
            INPUT_CHECKS[golden.kind](golden, Clips(clips))
        else:
            GOLDEN_CHECKS[golden.kind](golden)
    except ClipNotFound as error:
        verdict: Agreement = "off" if clips else "no clip"
        return ParityRow(path.name, golden.kind, math.nan, "", verdict, str(error))
    except BenchError as error:
        return verdict_of(golden, str(error))
    except Exception as error:  # shapes and settings of a strange file can break any tensor operation
        return verdict_of(golden, f"{path.name}: {type(error).__name__}: {' '.join(str(error).split())}")
    return verdict_of(golden, "")


def verdict_of(golden: Golden, problem: str) -> ParityRow:
    """The row of a checked file; `problem` is why the check broke off, empty where it did not."""
    wrong = [c for c in golden.comparisons if not c.agrees]
    problems = [problem] if problem else []
    problems += [f"{c.name}: {c.note or f'off by {c.error:.1e}'}" for c in wrong]
    if not problem and golden.untouched():
        problems.append(f"not compared: {', '.join(golden.untouched())}")
    if not problem and not golden.comparisons:
        problems.append("nothing to compare")
    worst = max(golden.comparisons, key=lambda c: c.severity, default=None)
    left_out = "; ".join(f"{name}: {reason}" for name, reason in golden.skipped.items())
    return ParityRow(
        golden.path.name,
        golden.kind,
        worst.error if worst else math.nan,
        worst.name if worst else "",
        "off" if problems else "agrees",
        "; ".join(problems) or left_out,
    )

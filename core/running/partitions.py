"""What `--cluster` names: a Ray cluster, or a partition of Slurm; checked before any data is prepared."""

import re
import shutil
import subprocess

from core.errors import BenchError, unknown_name
from core.extras import require_extra

SLURM = "slurm"
"""What `--cluster` begins with where Slurm is meant."""
LONGEST_JOB = 7 * 24 * 60
"""Minutes that a task asks for where its partition has no limit."""
SINFO = ("sinfo", "--noheader", "--format=%P|%l|%G")
"""Partition, a star behind the default one; longest time of a job; what its nodes have, as GPUs."""


def partition_of(cluster: str) -> str | None:
    """The partition that `slurm:PARTITION` names, "" for `slurm` alone; None where another cluster is meant.

    >>> partition_of("slurm:gpu"), partition_of("slurm"), partition_of("local")
    ('gpu', '', None)
    """
    kind, _, partition = cluster.partition(":")
    return partition if kind == SLURM else None


def require_ray(cluster: str) -> None:
    """Raises `BenchError` for another cluster than one of Ray, and where Ray is not installed."""
    if partition_of(cluster) is not None:
        raise BenchError(
            f"--cluster {cluster} is for bench run; preparing takes a Ray cluster: --cluster ADDRESS or local"
        )
    require_extra("--cluster", "ray")


def require_cluster(cluster: str) -> None:
    """Raises `BenchError` where what a cluster needs is missing on this machine; starts nothing."""
    partition = partition_of(cluster)
    if partition is None:
        require_ray(cluster)
        return
    require_extra(f"--cluster {SLURM}", "slurm")
    if shutil.which("sbatch") is None:
        raise BenchError(
            "there is no Slurm on this machine (no sbatch); run the command on a login node, or use --workers"
        )
    partition_facts(partition)


def partition_facts(partition: str) -> tuple[int, bool]:
    """Minutes that a job may take in a partition, and whether it has GPUs; "" is the default partition.

    Raises `BenchError` where Slurm does not answer or has no such partition.
    """
    try:
        listed = subprocess.run(SINFO, capture_output=True, text=True, timeout=60, check=True).stdout
    except (OSError, subprocess.SubprocessError) as error:
        said = " ".join(str(getattr(error, "stderr", None) or error).split())
        raise BenchError(f"Slurm does not answer ({said}); try `sinfo` on this machine") from error
    rows = [line.strip().split("|") for line in listed.splitlines() if line.count("|") == 2]
    names = [name.removesuffix("*") for name, _, _ in rows]
    chosen = partition or next((name[:-1] for name, _, _ in rows if name.endswith("*")), "")
    own = [row for row, name in zip(rows, names, strict=True) if name == chosen]
    if not own and partition:
        raise unknown_name("partition", partition, names, "sinfo")
    limits = [limit_in_minutes(limit) for _, limit, _ in own]
    return min(limits, default=LONGEST_JOB), any("gpu" in gres for _, _, gres in own)


def limit_in_minutes(limit: str) -> int:
    """A limit as sinfo prints it, in minutes; `LONGEST_JOB` where there is none.

    >>> [limit_in_minutes(text) for text in ("1-00:00:00", "12:30:00", "30:00", "infinite")]
    [1440, 750, 30, 10080]
    """
    found = re.fullmatch(r"(?:(\d+)-)?(?:(\d+):)?(\d+):(\d+)", limit)
    if found is None:
        return LONGEST_JOB
    days, hours, minutes, _ = (int(part or 0) for part in found.groups())
    return max(1, (days * 24 + hours) * 60 + minutes)

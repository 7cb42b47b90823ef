"""What torchrun is to a command: whether it started this process, and how to become it."""

import os
import sys


def launched() -> bool:
    """Whether torchrun, or a launcher with the same variables, started this process among others."""
    return int(os.environ.get("WORLD_SIZE", "1")) > 1


def follows() -> bool:
    """Whether this is a process of torchrun that does not lead, and so says nothing."""
    return launched() and os.environ["RANK"] != "0"


def start(devices: int) -> None:
    """Becomes torchrun with so many processes of this command, unless this is one of them."""
    if devices > 1 and not launched():
        sys.stdout.flush()
        launcher = ["-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={devices}"]
        os.execv(sys.executable, [sys.executable, *launcher, *sys.argv])

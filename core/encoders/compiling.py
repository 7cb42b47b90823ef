"""The towers' blocks through torch.compile, and one clear line where nothing can be compiled.

Block by block, as all blocks of a tower share one compiled graph: a tower as a whole would take as many times
longer to compile as it has blocks. Weights keep their names.
"""

from typing import TYPE_CHECKING

import torch

from core.errors import BenchError

if TYPE_CHECKING:
    import open_clip


def compile_blocks(towers: "open_clip.CLIP") -> None:
    """Compiles every block of both towers when it is first used; see `check_compiler` for what is raised."""
    check_compiler(towers.logit_scale.device)
    for block in (*towers.visual.transformer.resblocks, *towers.transformer.resblocks):
        # Batches have incomplete last ones, and captions are cut to several lengths.
        block.compile(dynamic=True)


def check_compiler(device: torch.device) -> None:
    """Compiles a line of arithmetic; raises `BenchError` with torch's reason where that fails."""
    try:
        with torch.no_grad():
            torch.compile(lambda x: 2 * x + 1)(torch.ones(2, device=device))
    except RuntimeError as error:
        reason = str(error).strip().splitlines()[0]
        raise BenchError(
            f"training.compile: torch cannot compile for {device.type} here ({reason}); "
            "install a C++ compiler (g++, or name one in CXX), or set training.compile=false"
        ) from error

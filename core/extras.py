"""Optional packages: what a user installs for a part of the bench that asks for one."""

from importlib.util import find_spec

from core.errors import BenchError

EXTRAS = {
    "ray": ("ray", "Ray"),
    "slurm": ("submitit", "submitit"),
    "mteb": ("mteb", "mteb"),
    "tensorboard": ("tensorboard", "TensorBoard"),
    "wandb": ("wandb", "wandb"),
}
"""Extra of this package -> the module that it brings, and that package's name for people."""


def missing_extra(asked: str, extra: str) -> BenchError:
    """The error where a package is not installed that `asked`, a command or an option, needs."""
    return BenchError(f"{asked} needs {EXTRAS[extra][1]}; install it with: uv sync --extra {extra}")


def require_package(asked: str, package: str) -> None:
    """Raises `BenchError` where a package that is no extra is not installed and `asked` needs it."""
    if find_spec(package) is None:
        raise BenchError(f"{asked} needs {package}; install it with: uv pip install {package}")


def require_extra(asked: str, extra: str) -> None:
    """Raises `missing_extra` where that is the case; imports nothing."""
    if find_spec(EXTRAS[extra][0]) is None:
        raise missing_extra(asked, extra)

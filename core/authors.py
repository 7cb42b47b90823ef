"""The layout of the authors' checkpoints: renamed, checked key by key, then loaded; and what else they fix.

A method declares it as `authors`. The key names may decide values of its configuration; the release also says
which modules start from CLIP's text tower and which train at a rate of their own.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Generic

from torch import Tensor, nn
from typing_extensions import TypeVar

from core.errors import BenchError

M = TypeVar("M", bound=nn.Module, default=Any)
"""The method."""

KEYS_SHOWN = 5
"""Keys that a message names."""


@dataclass(frozen=True)
class ClipTextWeights:
    """The CLIP text transformer's weights, from which temporal transformers are initialised."""

    blocks: tuple[Mapping[str, Tensor], ...]
    """Per layer, open_clip's names: `ln_1`, `attn` (packed in-projection), `ln_2`, `mlp.c_fc|c_proj`."""
    positions: Tensor
    """`(context, D)` positional table."""
    heads: int
    """Attention heads of each block."""


@dataclass(frozen=True)
class Authors(Generic[M]):
    """What the authors' code fixes beside formulas."""

    names: Mapping[str, str] = field(default_factory=lambda: {"": ""})
    """Authors' key prefix -> ours; unless given, the keys are ours."""
    dead: frozenset[str] = frozenset()
    """Keys of authors' checkpoints that nothing reads."""
    towers: str = "clip."
    """Prefix of CLIP's towers in checkpoints; empty where the authors' encoders are others, which are not
    hosted: the backbone then stays as it is."""

    def config(self, state: Mapping[str, Tensor]) -> Mapping[str, Any]:
        """Values of `Config` that the keys and shapes of a checkpoint decide; none by default."""
        return {}

    def inputs(self, state: Mapping[str, Tensor]) -> Mapping[str, Any]:
        """Keys of the spec outside `Config` that they decide, such as `frames`; none by default."""
        return {}

    def hints(self) -> Mapping[str, str]:
        """Beginning of an authors' key -> what to choose where such keys are unknown or missing."""
        return {}

    def audio_width(self, state: Mapping[str, Tensor]) -> int | None:
        """Width of the audio states that a checkpoint was trained on; None where it does not tell."""
        return None

    def load(self, method: M, state: Mapping[str, Tensor]) -> None:
        """Loads weights under the authors' names; raises `BenchError` naming unknown or missing keys."""
        name = getattr(method, "name", type(method).__name__)
        load_renamed(method, str(name), state, self.names, self.dead, self.towers)

    def initialise(self, method: M, clip: ClipTextWeights) -> None:
        """Copies what the authors copy from the CLIP text transformer; nothing by default."""

    def rate_group(self, parameter: str) -> str:
        """The learning-rate group of a parameter of the method: `clip`, `new` or a named one."""
        return "clip" if parameter == "logit_scale" else "new"


def renamed(key: str, names: Mapping[str, str]) -> str | None:
    """Our name of an authors' key: the longest prefix in `names` replaced; None for an unknown key."""
    prefixes = [prefix for prefix in names if key.startswith(prefix)]
    if not prefixes:
        return None
    prefix = max(prefixes, key=len)
    return names[prefix] + key[len(prefix) :]


def load_renamed(
    module: nn.Module,
    owner: str,
    state: Mapping[str, Tensor],
    names: Mapping[str, str],
    dead: frozenset[str],
    towers: str = "clip.",
) -> None:
    """Loads `state` into `module`, which messages call `owner`, under `names` (authors' prefix -> ours).

    Keys in `dead` are skipped, and so is every other key that begins with `clip.` or with `towers`: the CLIP
    towers belong to the backbone. Raises `BenchError` naming unknown, missing or misshapen keys; then nothing
    is loaded.
    """
    own = module.state_dict()
    authors = {ours: theirs for theirs, ours in names.items()}
    found: dict[str, Tensor] = {}
    unknown: list[str] = []
    misshapen: list[str] = []
    for key, tensor in state.items():
        name = renamed(key, names)
        if name in own:
            found[name] = tensor
            if tensor.shape != own[name].shape:
                misshapen.append(f"{key} is {tuple(tensor.shape)}, not {tuple(own[name].shape)}")
        elif key not in dead and not key.startswith(("clip.", towers or "clip.")):
            unknown.append(key)
    missing = [renamed(name, authors) or name for name in own if name not in found]
    for kind, keys in (("unknown", unknown), ("missing", missing), ("misshapen", misshapen)):
        if keys:
            more = f" and {len(keys) - KEYS_SHOWN} more" if len(keys) > KEYS_SHOWN else ""
            raise BenchError(f"{owner}: {kind} keys in the checkpoint: {', '.join(keys[:KEYS_SHOWN])}{more}")
    module.load_state_dict(found)

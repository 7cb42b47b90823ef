"""Checkpoints in the authors' key names: renamed, checked key by key, then loaded."""

from collections.abc import Mapping

from torch import Tensor, nn

from core.errors import BenchError


def renamed(key: str, names: Mapping[str, str]) -> str | None:
    """Our name of an authors' key: the longest prefix in `names` replaced; None for an unknown key."""
    prefixes = [prefix for prefix in names if key.startswith(prefix)]
    if not prefixes:
        return None
    prefix = max(prefixes, key=len)
    return names[prefix] + key[len(prefix) :]


def load_reference_state(
    module: nn.Module,
    method: str,
    state: Mapping[str, Tensor],
    names: Mapping[str, str],
    dead: frozenset[str],
) -> None:
    """Loads `state` into `module` under `names` (authors' prefix -> ours).

    Keys in `dead` are skipped, and so is every other key that begins with `clip.`: the CLIP towers belong
    to the backbone. Raises `BenchError` naming unknown, missing or misshapen keys; then nothing is loaded.
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
        elif key not in dead and not key.startswith("clip."):
            unknown.append(key)
    missing = [renamed(name, authors) or name for name in own if name not in found]
    for kind, keys in (("unknown", unknown), ("missing", missing), ("misshapen", misshapen)):
        if keys:
            more = f" and {len(keys) - 5} more" if len(keys) > 5 else ""
            raise BenchError(
                f"{method}: {kind} keys in the checkpoint: {', '.join(keys[:5])}{more}; check its config"
            )
    module.load_state_dict(found)

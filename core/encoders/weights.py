"""The fingerprint of weights."""

from collections.abc import Mapping
from hashlib import sha256

from torch import Tensor


def weights_fingerprint(state: Mapping[str, Tensor]) -> str:
    """64 hexadecimal digits over the names, shapes and values of weights, as float32."""
    digest = sha256()
    for name in sorted(state):
        tensor = state[name].detach().cpu().float().contiguous()
        digest.update(f"{name} {tuple(tensor.shape)}".encode())
        digest.update(tensor.numpy().tobytes())
    return digest.hexdigest()

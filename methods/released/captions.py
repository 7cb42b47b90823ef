"""Which caption of a video is which."""

import torch
from torch import Tensor


def captions_by_slot(pairing: Tensor, videos: int) -> tuple[Tensor, Tensor]:
    """Numbers each text among its video's captions.

    `pairing` `(N,)` int64 is each text's video; one outside `0 .. videos - 1` is not among these. Returns the
    slot of each text `(N,)` and the table `(slots, V)` of the text in each slot, -1 where a video has fewer
    captions.
    """
    order = pairing.argsort(stable=True)
    numbers = torch.arange(len(pairing), device=pairing.device)
    slots = torch.empty_like(pairing)
    # sorted by video, a caption's slot is its distance from the first of its video
    slots[order] = numbers - torch.searchsorted(pairing[order], pairing[order])
    table = pairing.new_full((int(slots.max()) + 1 if len(slots) else 0, videos), -1)
    here = (pairing >= 0) & (pairing < videos)
    table[slots[here], pairing[here]] = numbers[here]
    return slots, table


def captions_of(texts: Tensor, rows: Tensor) -> Tensor:
    """Rows `(V,)` of texts `(N, D)`; NaN where the row is -1."""
    return torch.where((rows < 0)[:, None], torch.nan, texts[rows.clamp(min=0)])

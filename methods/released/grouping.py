"""Sorting texts, and everything that was made per text, by the video that they belong to.

As released this is a Python loop with a dictionary, one iteration per vector: a million of them for 1,000
texts and 1,000 videos.
"""

from collections.abc import Sequence

import torch
from torch import Tensor


def grouped(vectors: Tensor, owners: Sequence[int], groups: int) -> Tensor:
    """Vectors `(N, D)` by owning video, `(G, M, D)`; groups with fewer than M are filled up with -inf.

    `owners` names the video of each text, `groups` G is the number of videos.
    """
    by_video: dict[int, list[Tensor]] = {group: [] for group in range(groups)}
    for vector, owner in zip(vectors, owners, strict=True):
        by_video[owner].append(vector)
    longest = max(len(group) for group in by_video.values())
    padding = vectors.new_full((1, vectors.shape[-1]), -torch.inf)
    return torch.stack(
        [
            torch.cat([torch.stack(group), padding.expand(longest - len(group), -1)])
            if group
            else padding.expand(longest, -1)
            for group in by_video.values()
        ]
    )


def grouped_per_video(vectors: Tensor, owners: Sequence[int]) -> Tensor:
    """Vectors of every video and text `(V, N, D)` by the text's own video: `(V, G, M, D)` with G = V."""
    return torch.stack([grouped(rows, owners, len(vectors)) for rows in vectors])

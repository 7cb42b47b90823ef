"""The two ways in which the product scores, behind one face: tiled modules and the exact engine."""

from torch import Tensor

from core.batch import Rows, Texts, Videos
from core.method import Method, NoiseSource
from core.scoring import exact_arithmetic, score_matrix
from core.timings import Implementation


def obstacle_of(method: Method, implementation: Implementation) -> str:
    """Why an implementation is not to be had, "" where it is."""
    return "no exact engine yet" if implementation == "exact" else ""


def build_index_of(method: Method, videos: Videos, implementation: Implementation) -> Rows:
    """Makes the videos ready for any text."""
    with exact_arithmetic(method):
        return method.index(videos)


def scores_of(method: Method, texts: Texts, index: Rows, noise: NoiseSource) -> Tensor:
    """All scores `(N, V)`."""
    return score_matrix(method, texts, index, noise=noise)

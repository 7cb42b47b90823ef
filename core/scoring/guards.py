"""What scoring refuses: features that no encoder should return, algebra that disagrees with the modules."""

from collections.abc import Iterator
from copy import deepcopy
from dataclasses import replace
from itertools import chain
from typing import get_args

import torch
from torch import Tensor
from torch.nn import Module

from core.batch import Rows, Texts, Videos
from core.capabilities import Exact
from core.errors import BenchError
from core.method import Method
from core.plugin_errors import calling
from core.scoring.noise import KeyedNoise, NoiseMode

CHECKED = 8
"""Videos and made-up texts of the self-check; all 64 pairs are compared."""

ALGEBRA_TOLERANCE = 1e-5
"""Largest difference that the self-check lets pass, of scores as large as cosines; float32 rounds by 1e-6."""


def check_texts(texts: Texts, method: Method) -> None:
    """Raises `BenchError` naming the first caption that is not finite, is zero, or has another width.

    So are texts without words, where the method reads them.
    """
    width = method.dimensions.width
    if len(texts) == 0:
        raise BenchError("nothing to score: there are no texts")
    if texts.embeds.shape[1] != width:
        raise BenchError(f"texts are {texts.embeds.shape[1]} wide, the method is {width}; encode them again")
    if method.needs.words and texts.words is None:
        raise BenchError(f"{method.name} reads the words of texts, and these were encoded without")
    # A length is finite where all channels are, and takes no copy of the features.
    lengths = torch.linalg.vector_norm(texts.embeds, dim=-1)
    name_first(~lengths.isfinite(), "text {}: its embedding is not finite; encode it again")
    name_first(lengths == 0, "text {}: its embedding has length zero; leave out the caption")


def check_videos(videos: Videos) -> None:
    """Raises `BenchError` naming the first video whose features are not finite, or have a frame of zeros."""
    if len(videos) == 0:
        raise BenchError("nothing to score: there are no videos")
    lengths = torch.linalg.vector_norm(videos.frames, dim=-1)
    name_first(~lengths.isfinite(), "video {}, frame {}: its embedding is not finite; encode it again")
    name_first(
        (lengths == 0) & videos.frame_mask,
        "video {}, frame {}: its embedding has length zero; mask the frame or leave out the video",
    )
    if videos.audio is not None:
        heard = torch.linalg.vector_norm(videos.audio, dim=-1)
        name_first(~heard.isfinite(), "video {}, audio state {}: it is not finite; encode it again")


def check_rows(method: Method, rows: object, count: int) -> None:
    """Raises `BenchError` unless `index` has returned a record of `count` rows."""
    if not isinstance(rows, Rows):
        raise BenchError(
            f"{method.name}: index returns {type(rows).__name__}; return a dataclass of core.batch.Rows"
        )
    if len(rows) != count:
        raise BenchError(f"{method.name}: index returns {len(rows)} rows for {count} videos")


def check_scores(method: Method, scores: object, texts: int, videos: int) -> None:
    """Raises `BenchError` unless `score` has returned a matrix, which no other shape may pass for."""
    shape = tuple(scores.shape) if isinstance(scores, Tensor) else type(scores).__name__
    if shape != (texts, videos):
        raise BenchError(
            f"{method.name}: score returns {shape} for {texts} texts and {videos} videos; it must be (N, V)"
        )


def name_first(wrong: Tensor, message: str) -> None:
    """Raises `BenchError` with the position of the first True in `wrong` put into the message."""
    if bool(wrong.any()):
        raise BenchError(message.format(*wrong.nonzero()[0].tolist()))


def weights_state(method: Method) -> tuple[tuple[int, int], ...]:
    """Address and version of every weight: what an optimiser's step, a load or a move to a device changes.

    Reads none of them. Writing past torch's count, as through `.data` or numpy, goes unseen.
    """
    # a tensor that is written in place keeps its address and changes its version
    held = chain.from_iterable((*m._parameters.values(), *m._buffers.values()) for m in modules_of(method))
    return tuple((tensor.data_ptr(), tensor._version) for tensor in held if tensor is not None)


def modules_of(method: Method) -> Iterator[Module]:
    """A method and all modules in it; torch's own walk names each, which takes as long as a small tile."""
    waiting: list[Module] = [method]
    while waiting:
        module = waiting.pop()
        yield module
        waiting += [part for part in module._modules.values() if part is not None]


def with_words(texts: Texts, length: int, generator: torch.Generator) -> Texts:
    """The texts with made-up words as long as they are: from two to all `length` positions are real."""
    count, width = texts.embeds.shape
    words = torch.randn(count, length, width, generator=generator).to(texts.embeds)
    lengths = torch.linspace(2, length, count, device=words.device).round()
    shown = torch.arange(length, device=words.device) < lengths[:, None]
    return replace(texts, words=words * texts.embeds.square().mean().sqrt(), word_mask=shown)


def self_check(method: Method, exact: Exact, videos: Videos, basis: Rows) -> None:
    """Compares the exact engine with the modules on made-up texts and some of the videos.

    Raises `BenchError` where a score differs by more than `ALGEBRA_TOLERANCE`, unless it is the rounding of
    the modules themselves: behind a saturated gate they normalise what float32 has left, and in float64 the
    algebra agrees with them.
    """
    generator = torch.Generator().manual_seed(0)
    chosen = torch.randperm(len(videos), generator=generator)[:CHECKED].to(videos.frames.device)
    embeds = torch.randn(CHECKED, videos.frames.shape[-1], generator=generator).to(videos.frames)
    # As long as the frames are, whose space the texts share.
    embeds *= videos.frames[chosen].square().mean().sqrt()
    texts = Texts(embeds, torch.arange(CHECKED, device=embeds.device))
    if method.needs.words:
        texts = with_words(texts, method.dimensions.words, generator)
    difference = disagreement(method, exact, texts, videos[chosen], basis[chosen])
    if bool((difference <= ALGEBRA_TOLERANCE).all()) or agrees_in_float64(method, texts, videos[chosen]):
        return
    worst = int(difference.argmax())
    raise BenchError(
        f"{method.name}: the algebra no longer matches the modules: scores differ by "
        f"{float(difference[worst]):.1e} on video {int(chosen[worst])}. If you changed a "
        f"formula, change its algebra too, in {exact.where or type(exact).__name__}, "
        "or set evaluation.engine=modules"
    )


def disagreement(method: Method, exact: Exact, texts: Texts, videos: Videos, basis: Rows | None) -> Tensor:
    """How far the algebra is from the modules on each video `(V,)`, at the most; 1 is as far as a cosine.

    Larger scores may differ by more, and those below a tenth by less. Without a basis it is made here.
    """
    with calling(method, "index"):
        rows = method.index(videos)
    if basis is None:
        with calling(method, "exact.index"):
            basis = exact.index(rows)
    worst = torch.zeros(len(videos), device=texts.embeds.device)
    for mode in get_args(NoiseMode):
        noise = KeyedNoise(0, mode)
        with calling(method, "score"):
            expected = method.score(texts, rows, noise)
        with calling(method, "exact.score"):
            found = exact.score(exact.queries(texts, noise), basis, noise)
        largest = expected.abs().amax()
        scale = torch.maximum(largest, (10 * largest).clamp(max=1))
        # What is undefined on one side only is as far off as can be.
        difference = torch.where(found.isnan() & expected.isnan(), 0.0, (found - expected).abs() / scale)
        worst = torch.maximum(worst, difference.nan_to_num(torch.inf).amax(0).to(worst))
    return worst


def agrees_in_float64(method: Method, texts: Texts, videos: Videos) -> bool:
    """Whether the algebra agrees with the modules where both calculate in float64."""
    doubled = deepcopy(method).double()
    if doubled.exact is None:
        return False

    def double(tensor: Tensor) -> Tensor:
        return tensor.double() if tensor.is_floating_point() else tensor

    try:
        found = disagreement(doubled, doubled.exact, texts.map(double), videos.map(double), None)
    except BenchError:  # the method insists on float32
        return False
    return bool((found <= ALGEBRA_TOLERANCE).all())

"""Scores that depend on positions, sizes, company, keys or calls, each in another way."""

import hashlib

import torch
from torch import Tensor

from core.batch import Texts
from core.method import Dimensions, MethodConfig, NoiseSource
from tests.core.audit.planted import Clean, Kept, own, planted_in

# --- where the pairing may come from --------------------------------------------------------------


class Scoring(Clean):
    """Base of those that change the scores."""

    def score(self, texts: Texts, index: Kept, noise: NoiseSource) -> Tensor:
        return self.changed(super().score(texts, index, noise), texts, index)

    def changed(self, scores: Tensor, texts: Texts, index: Kept) -> Tensor:
        raise NotImplementedError


class FirstTile(Scoring):
    """The first pair of every tile."""

    def changed(self, scores: Tensor, texts: Texts, index: Kept) -> Tensor:
        scores = scores.clone()
        scores[0, 0] += 0.3
        return scores


class AntiDiagonal(Scoring):
    def changed(self, scores: Tensor, texts: Texts, index: Kept) -> Tensor:
        return scores + own(scores).flip(1)


class FaintDiagonal(Scoring):
    """Too faint for the noise canary."""

    def changed(self, scores: Tensor, texts: Texts, index: Kept) -> Tensor:
        return scores + 0.003 * own(scores)


class GallerySize(Scoring):
    """Favours a position that depends on how many videos there are."""

    def changed(self, scores: Tensor, texts: Texts, index: Kept) -> Tensor:
        scores = scores.clone()
        scores[:, len(index) // 2] += 0.2
        return scores


class LaterPositions(Scoring):
    """Breaks ties by storage order."""

    def changed(self, scores: Tensor, texts: Texts, index: Kept) -> Tensor:
        return scores + 1e-3 * torch.arange(len(index), device=scores.device) / len(index)


class RankedInTheBatch(Scoring):
    """The rank among the queries of a video."""

    def changed(self, scores: Tensor, texts: Texts, index: Kept) -> Tensor:
        return scores.argsort(0).argsort(0) / 1e3 + scores


class Sinkhorn(Scoring):
    def changed(self, scores: Tensor, texts: Texts, index: Kept) -> Tensor:
        return (20 * scores).log_softmax(0)


class TopOfTheGallery(Scoring):
    """How far the best video is ahead."""

    def changed(self, scores: Tensor, texts: Texts, index: Kept) -> Tensor:
        return scores - scores.amax(1, keepdim=True)


class HashOfKeys(Scoring):
    """Text and video by a hash of their keys."""

    def changed(self, scores: Tensor, texts: Texts, index: Kept) -> Tensor:
        return scores + 0.3 * ((texts.keys[:, None] % 1009) == (index.keys % 1009))


class KeysModulo(Scoring):
    """Neighbouring keys."""

    def changed(self, scores: Tensor, texts: Texts, index: Kept) -> Tensor:
        distance = (texts.keys[:, None] - index.keys).abs().double()
        return (scores - distance * 1e-21).float()


class DigestOfKeys(Scoring):
    """Reads the keys one by one."""

    def changed(self, scores: Tensor, texts: Texts, index: Kept) -> Tensor:
        scores = scores.clone()
        for row, text in enumerate(texts.keys):
            word = hashlib.md5(str(int(text)).encode(), usedforsecurity=False).digest()[0]
            for column, video in enumerate(index.keys):
                scores[row, column] += 1e-3 * (word ^ (int(video) & 255)).bit_count()
        return scores


class MostRecentQueries(Scoring):
    """Subtracts the mean of the queries asked before."""

    def __init__(self, config: MethodConfig, dimensions: Dimensions) -> None:
        super().__init__(config, dimensions)
        self.last: Tensor | None = None

    def changed(self, scores: Tensor, texts: Texts, index: Kept) -> Tensor:
        before, self.last = self.last, texts.embeds.mean(0)
        return scores if before is None else scores - 0.1 * (texts.embeds @ before)[:, None].tanh()


class CountsCalls(Scoring):
    calls = 0

    def changed(self, scores: Tensor, texts: Texts, index: Kept) -> Tensor:
        self.calls += 1
        return scores + own(scores) * (self.calls > 3)


class GlobalDice(Scoring):
    def changed(self, scores: Tensor, texts: Texts, index: Kept) -> Tensor:
        return scores + 0.01 * torch.randn_like(scores)


class SeededDice(Scoring):
    """The same numbers at the same positions."""

    def changed(self, scores: Tensor, texts: Texts, index: Kept) -> Tensor:
        drawn = torch.randn(scores.shape, generator=torch.Generator().manual_seed(0))
        return scores + 0.01 * drawn


class NoiseByPosition(Clean):
    """Asks the noise for positions in place of keys."""

    def score(self, texts: Texts, index: Kept, noise: NoiseSource) -> Tensor:
        places = torch.arange(len(texts)), torch.arange(len(index))
        drawn = noise.draw(*places, 1, 1, "normal")[..., 0, 0]
        return super().score(texts, index, noise) + 0.1 * drawn


class OnlyLargeGalleries(Scoring):
    """From 300 videos on."""

    def changed(self, scores: Tensor, texts: Texts, index: Kept) -> Tensor:
        return scores + own(scores) * (len(index) >= 300)


class OnlyManyTexts(Scoring):
    def changed(self, scores: Tensor, texts: Texts, index: Kept) -> Tensor:
        return scores + 0.3 * (torch.arange(len(texts))[:, None] % len(index) == torch.arange(len(index))) * (
            len(texts) > 256
        )


class TwoCaptions(Scoring):
    """With two captions per video, side by side."""

    def changed(self, scores: Tensor, texts: Texts, index: Kept) -> Tensor:
        if len(texts) != 5 * len(index):
            return scores
        return scores + 0.3 * (torch.arange(len(texts))[:, None] // 5 == torch.arange(len(index)))


class MoreTextsThanVideos(Scoring):
    def changed(self, scores: Tensor, texts: Texts, index: Kept) -> Tensor:
        return scores + own(scores) * (len(texts) > len(index))


LEAKS = planted_in(__name__)

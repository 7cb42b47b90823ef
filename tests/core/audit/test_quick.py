"""The checks of a configuration: each finds what it is for, on few pairs."""

import pytest
from torch import Tensor

from core.audit.noise_features import SMALL
from core.audit.quick import quick
from core.audit.subject import Subject
from core.batch import Texts, Videos
from core.method import Method, Needs, NoiseSource
from tests.core.audit.planted import Clean, ComparesKeys, Kept, MeanOfTheGallery, SoftmaxOverVideos


class IndexedAlone(Clean):
    """A video that is indexed without others."""

    def index(self, videos: Videos) -> Kept:
        kept = super().index(videos)
        return Kept(kept.picture * (1 + 0.5 * (len(videos) == 1)), kept.sound, kept.keys)


class ScoredAlone(Clean):
    """A pair that is scored without others."""

    def score(self, texts: Texts, index: Kept, noise: NoiseSource) -> Tensor:
        scores = super().score(texts, index, noise)
        return scores + 0.1 * (scores.numel() == 1)


class KeepsTexts(Clean):
    """Adds the texts that it has scored last to its next index."""

    last: Tensor | None = None

    def index(self, videos: Videos) -> Kept:
        kept = super().index(videos)
        if self.last is None or len(self.last) != len(videos):
            return kept
        return Kept(kept.picture + 0 * self.last, kept.sound, kept.keys)

    def score(self, texts: Texts, index: Kept, noise: NoiseSource) -> Tensor:
        self.last = texts.embeds
        return super().score(texts, index, noise)


class HearsUnsaid(Clean):
    needs = Needs()


class HearsNothing(Clean):
    def sound(self, videos: Videos) -> Tensor:
        return 0 * super().sound(videos)


FOUND = {
    ComparesKeys: "identity",
    MeanOfTheGallery: "pairing",
    SoftmaxOverVideos: "pairing",
    IndexedAlone: "pairing",
    ScoredAlone: "pairing",
    KeepsTexts: "index honesty",
    HearsUnsaid: "audio",
    HearsNothing: "audio",
}


@pytest.mark.parametrize("method", FOUND, ids=lambda method: method.__name__)
def test_a_configuration_is_asked_for_everything(method: type[Method]) -> None:
    found = quick(Subject(method, "leak-free", shape=SMALL, steps=1))
    assert found is not None
    assert found.check == FOUND[method]


def test_a_clean_configuration_passes() -> None:
    assert quick(Subject(Clean, "leak-free", shape=SMALL, steps=1)) is None

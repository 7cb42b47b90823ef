"""What a method may offer beyond the contract (`core.method`): each an object, or None where it has none.

A plug-in of one file leaves all of them out. `Exact` scores by algebra what `Method.score` scores by modules;
`ReleasedScorer` scores as the authors' evaluation does; `Gate` reports how much sound enters; `Authors` (in
`core.authors`) reads the authors' checkpoints; `Candidates` finds what is worth scoring in a large gallery;
`Moments` tells where in a video a score comes from;
`Timed` tells `bench time` what it cannot measure.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar, Generic, Literal, Protocol

from torch import Tensor
from typing_extensions import TypeVar

from core.batch import Rows, Texts, Videos
from core.timing.clock import Stopwatch
from core.timing.cost import Cost

Index = TypeVar("Index", bound=Rows, default=Any)
"""What a method keeps of each video."""
Queries = TypeVar("Queries", bound=Rows, default=Any)
"""What its algebra needs of each text."""
Basis = TypeVar("Basis", bound=Rows, default=Any)
"""What its algebra keeps of each video."""


class NoiseSource(Protocol):
    """Where the noise of stochastic perturbations comes from at scoring time."""

    @property
    def shared(self) -> bool:
        """Whether all videos of a text share its draw; `draw` then asks nothing of the videos."""
        ...

    def draw(self, texts: Tensor, videos: Tensor, trials: int, width: int, prior: str) -> Tensor:
        """Noise for texts `(N,)` by key against videos `(V,)` by key.

        `prior` is "uniform" (U[0, 1)) or "normal" (N(0, 1); the method multiplies by its std).
        Returns `(N, V, trials, width)`, or `(N, 1, trials, width)` where videos share the draw.
        """
        ...


class Exact(ABC, Generic[Index, Queries, Basis]):
    """`Method.score` by algebra: the same real numbers without a pass through the modules for every pair.

    Whenever an index is built, both are compared on made-up texts, and scoring stops where they differ.
    """

    obstacle: str = ""
    """Why there is no algebra under this configuration, e.g. "token fusion"; empty where there is."""
    where: str = ""
    """The file that holds the algebra, named where it no longer agrees with the modules."""
    texts_per_video: int = 16
    """The shape of a tile. Many suit small matrices per video times long rows of texts, few suit matrices
    per text."""

    @property
    @abstractmethod
    def floats_per_pair(self) -> int:
        """Size of all temporaries of `score` together, in numbers per (text, video) pair."""

    @abstractmethod
    def index(self, rows: Index) -> Basis:
        """The basis of each video, from what `Method.index` made of it."""

    @abstractmethod
    def queries(self, texts: Texts, noise: NoiseSource) -> Queries:
        """What `score` needs of texts `(N,)`, whatever the videos; noise that videos share included."""

    @abstractmethod
    def score(self, queries: Queries, basis: Basis, noise: NoiseSource) -> Tensor:
        """Scores `(N, V)` of queries `(N,)` against V bases."""


class ReleasedScorer(ABC, Generic[Index]):
    """The authors' own scoring, where it differs from `Method.score`: a labelled protocol beside it.

    A method without it has a clean release: its released scores are its leak-free ones.
    """

    tile: ClassVar[tuple[int, int] | None] = None
    """Texts and videos that are scored together, where scores depend on it; None: they do not."""

    @abstractmethod
    def score(self, texts: Texts, index: Index, pairing: Tensor, noise: NoiseSource) -> Tensor:
        """Similarities `(N, V)` as the authors' evaluation computes them.

        `pairing` `(N,)` int64 names each text's own video, which a leak-free score must not know; a number
        outside `0 .. V - 1` is a video that is not among these.
        """

    def score_by_algebra(self, texts: Texts, index: Index, pairing: Tensor, noise: NoiseSource) -> Tensor:
        """`score` as the exact engine computes it; by the modules unless a method knows better."""
        return self.score(texts, index, pairing, noise)


class Gate(ABC):
    """How much sound a method lets in."""

    axis: Literal["frame", "layer"] = "frame"
    """What the second axis of `weights` counts."""

    @abstractmethod
    def weights(self, texts: Texts, videos: Videos) -> Tensor:
        """Weight of the sound `(B, F)` per frame, or `(B, layers)`, of text i with video i."""


class Candidates(ABC, Generic[Index]):
    """Vectors whose maximum finds what `Method.score` ranks first, for search in a large gallery.

    A video is a candidate for a text by the largest inner product of the text's vector with one of the
    video's. The candidates are then scored; nothing else is claimed of the inner products.
    """

    @abstractmethod
    def videos(self, index: Index) -> Tensor:
        """`(V, M, D)` vectors of each video; a row that repeats another adds nothing."""

    @abstractmethod
    def texts(self, texts: Texts) -> Tensor:
        """`(N, D)` a vector of each text."""


class Moments(ABC, Generic[Queries, Basis]):
    """Where in a video a score comes from, as search shows it beside a hit; from what the algebra keeps."""

    @abstractmethod
    def frames(self, queries: Queries, basis: Basis) -> Tensor | None:
        """Weight `(N, V, F)` of each frame in the pooled video; None where the text weights none of them."""

    @abstractmethod
    def sound(self, queries: Queries, basis: Basis) -> Tensor | None:
        """Weight `(N, V, F)` of the sound in each frame, 0 to 1; None where no text decides it."""


class Timed(ABC, Generic[Index]):
    """What `bench time` cannot measure of a method: arithmetic counted by hand, and its authors' loops."""

    obstacle: str = ""
    """Why there are no authors' loops to time; empty where there are."""
    growth: Mapping[str, int] = {}
    """Stage of the loops -> the power with which its time grows when texts and videos grow together."""

    @abstractmethod
    def cost(self, *, exact: bool) -> Cost | None:
        """Of scoring by algebra or by the modules; None where nobody has counted."""

    def loops(
        self,
        texts: Tensor,
        index: Index,
        owners: Sequence[int],
        draw: Callable[[int, int], Tensor],
        watch: Stopwatch,
    ) -> Tensor:
        """Scores `(N, V)` of texts `(N, D)` by the authors' own loops; the watch's laps are their stages.

        `owners` names the video of each text, every video as often as every other; `draw(video, trial)` gives
        the noise `(N, D)` of all texts, in units of the prior. Only without an `obstacle`.
        """
        raise NotImplementedError(self.obstacle)

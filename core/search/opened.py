"""An index that is asked: candidates, exact scores of them, and where in each hit its score comes from.

from core import open_index

index = open_index("my-videos.index")
for hit in index.search(["a dog barks behind a fence"], k=5)[0]:
    print(hit.rank, hit.path, hit.score, hit.moment)
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import torch
from torch import Tensor

from core.batch import Rows, Texts
from core.dataset import Video
from core.errors import BenchError
from core.progress import Progress, Silent
from core.running.trained import TrainedRun, load_run
from core.scoring.scoring import exact_arithmetic
from core.search.candidates import opened_candidates
from core.search.contents import Ids, IndexContents
from core.search.layout import FRAMES_FILE, PART_VIDEOS, VECTORS_FILE, IndexFolder
from core.search.queries import asked_texts, query_vectors, texts_like
from core.store.identity import clip_keys
from core.temporary import own_temporary_folder


@dataclass(frozen=True)
class Hit:
    """A video that a search has found."""

    rank: int
    """From 1."""
    path: str
    """Of the file."""
    score: float
    """The method's own, as in its runs; higher is better."""
    moment: float | None
    """Seconds into the file of the frame with most weight, or, where the method weights none, of the frame
    that is nearest to the query."""
    gate: tuple[float, ...] | None
    """Weight of the sound in each frame, 0 to 1, in the order of `times`; None where no text decides it."""
    times: tuple[float, ...]
    """Seconds of each real frame."""
    duration: float
    """Seconds."""
    changed: bool
    """Whether the file is gone or was changed since it was indexed."""


class VideoSearch:
    """An opened index; see `open_index`."""

    def __init__(self, run: TrainedRun, folder: IndexFolder) -> None:
        manifest = folder.read()
        if manifest.model != run.fingerprint:
            raise BenchError(
                f"{folder.path} is an index of another run ({manifest.run}) than {run.directory.path}; name "
                "that one with --run"
            )
        if not manifest.finished:
            raise BenchError(f"{folder.path} is not finished; the same `bench index` continues it")
        folder.require_whole(manifest)
        self.run, self.manifest = run, manifest
        self.contents = IndexContents(run, folder, manifest)
        self.find = opened_candidates(self.contents)
        self.root = Path(manifest.root)

    def __len__(self) -> int:
        return len(self.contents.ids)

    @property
    def candidates(self) -> int:
        """How many candidates are scored unless told otherwise: as many as were measured to be enough."""
        return self.manifest.kept[-1].candidates if self.manifest.kept else min(len(self), 200)

    def kept(self, candidates: int) -> float | None:
        """The share of the exact top 10 that so many candidates keep, 0 to 1; None where nobody measured."""
        if candidates >= len(self):
            return 1.0
        measured = [kept.share for kept in self.manifest.kept if kept.candidates <= candidates]
        return measured[-1] if measured else None

    def search(self, queries: Sequence[str], k: int = 10, candidates: int | None = None) -> list[list[Hit]]:
        """The best `k` videos of each query, the best first.

        `candidates` are found by their vectors and scored exactly. Raises `BenchError` for an empty query and
        for one that is longer than the run reads.
        """
        return self.hits(asked_texts(self.run, queries), k, candidates)

    def search_like(self, clip: str | Path, k: int = 10, candidates: int | None = None) -> list[Hit]:
        """The videos most like a clip, by its frames in the place of words; raises as `encode_files`."""
        if not Path(clip).is_file():
            raise BenchError(f"{clip}: no such file; name a video")
        with TemporaryDirectory(dir=own_temporary_folder(), prefix="like-") as work:
            found = self.run.encode_files([Video(Path(clip).name, Path(clip))], work)
            texts = texts_like(found.videos, self.run.method.dimensions.words)
            return self.hits(texts, k, candidates)[0]

    def hits(self, texts: Texts, k: int, candidates: int | None = None) -> list[list[Hit]]:
        """The best `k` videos of encoded texts `(N,)`."""
        count = max(k, candidates or self.candidates)
        found = self.find(query_vectors(self.run, texts), count)
        return [self.ordered(texts[n : n + 1], ids, k) for n, ids in enumerate(found)]

    def ordered(self, text: Texts, ids: Ids, k: int) -> list[Hit]:
        """The best `k` of some candidates of one text, with where their scores come from."""
        rows = self.contents.record(ids)
        best = self.contents.scores(text, rows)[0].topk(min(k, len(ids)))
        chosen = ids[best.indices.numpy()]
        weights, gates = self.moments(text, rows[best.indices.to(self.run.method.logit_scale.device)], chosen)
        changed = self.changed(chosen)
        return [
            self.hit(
                n + 1, int(id), float(best.values[n]), weights[n], None if gates is None else gates[n], gone
            )
            for n, (id, gone) in enumerate(zip(chosen, changed, strict=True))
        ]

    def hit(
        self, rank: int, id: int, score: float, weights: Tensor, gate: Tensor | None, changed: bool
    ) -> Hit:
        """A video as a hit; `weights` `(F,)` of its frames, `gate` `(F,)` of their sound."""
        video = self.contents.video(id)
        real = [n for n, shown in enumerate(video["mask"]) if shown]
        times = tuple(float(video["times"][n]) for n in real)
        return Hit(
            rank=rank,
            path=str(self.root / str(video["path"])),
            score=score,
            moment=times[int(weights[real].argmax())] if real else None,
            gate=None if gate is None else tuple(gate[real].tolist()),
            times=times,
            duration=float(video["duration"]),
            changed=changed,
        )

    def moments(self, text: Texts, rows: Rows, ids: Ids) -> tuple[Tensor, Tensor | None]:
        """Weights of frames `(V, F)` and, where a text decides it, of their sound `(V, F)`."""
        method = self.run.method
        frames = sound = None
        if method.exact and method.moments and not self.contents.obstacle:
            with exact_arithmetic(method):
                queries = method.exact.queries(text, self.run.noise)
                frames, sound = method.moments.frames(queries, rows), method.moments.sound(queries, rows)
        weights = self.nearness(text, ids) if frames is None else frames[0].cpu()
        return weights, None if sound is None else sound[0].cpu()

    def nearness(self, text: Texts, ids: Ids) -> Tensor:
        """How near each frame of some videos is to a text, `(V, F)`."""
        vectors = []
        for id in ids.tolist():
            number, row = divmod(id, PART_VIDEOS)
            part = self.contents.parts[number]
            name = FRAMES_FILE if FRAMES_FILE in part.files else VECTORS_FILE
            vectors.append(np.asarray(self.contents.vectors(part, name)[row], np.float32))
        query = torch.from_numpy(query_vectors(self.run, text)[0])
        return torch.from_numpy(np.stack(vectors)) @ query

    def changed(self, ids: Ids) -> list[bool]:
        """Whether the files of some videos are gone or changed since they were indexed."""
        found = [self.contents.video(id) for id in ids.tolist()]
        videos = [Video(str(video["path"]), self.root / str(video["path"])) for video in found]
        keys = zip(found, clip_keys(videos), strict=True)
        return [video["key"] != key for video, key in keys]


def open_index(
    folder: str | Path, run: str | Path | TrainedRun | None = None, progress: Progress | None = None
) -> VideoSearch:
    """An index that `bench index` has made, ready to be searched.

    `run` is the run that it was made with, where that is not in the folder any more where it was. Raises
    `BenchError` for an index of another run, one of a newer version, one that is not finished or damaged.
    """
    place = IndexFolder(Path(folder))
    if not isinstance(run, TrainedRun):
        named = Path(run) if run is not None else Path(place.read().run)
        if run is None and not named.is_dir():
            raise BenchError(f"{folder} was made with the run {named}, which is gone; name it with --run")
        run = load_run(named, progress or Silent())
    return VideoSearch(run, place)

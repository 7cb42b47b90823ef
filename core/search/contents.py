"""An index as searches read it: which videos it has, and exact scores of some of them."""

from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import torch
from numpy.typing import NDArray
from torch import Tensor

from core.batch import Rows, Texts
from core.errors import BenchError
from core.running.trained import TrainedRun
from core.scoring.guards import weights_state
from core.scoring.scoring import ScoringIndex, obstacle_to_algebra, score_matrix
from core.search.basis import RowLayout, template_of, with_tensors
from core.search.layout import PART_VIDEOS, VIDEOS_FILE, IndexFolder, IndexManifest, Part

Ids = NDArray[np.int64]
"""Videos by number: that of the part times `PART_VIDEOS`, plus the row."""


class IndexContents:
    """The videos of an index under the run that made it."""

    def __init__(self, run: TrainedRun, folder: IndexFolder, manifest: IndexManifest) -> None:
        self.run, self.folder, self.manifest = run, folder, manifest
        sound = (run.audio.positions, run.audio.width) if run.audio else None
        patches = run.clip.patches if run.method.needs.patches else 0
        engine = run.spec.evaluation.engine
        self.obstacle = obstacle_to_algebra(run.method) if engine == "exact" else "as asked"
        """Why modules score; empty where the algebra does."""
        self.template = template_of(run.method, engine, sound, patches)
        self.parts = {part.number: part for part in manifest.parts}
        self.layout = RowLayout(self.template)
        self.tables: dict[int, pa.Table] = {}

    def ids_of(self, part: Part) -> Ids:
        """The videos of a part that can be found."""
        rows = np.setdiff1d(np.arange(part.videos), np.array(part.gone, dtype=np.int64))
        ids: Ids = part.number * PART_VIDEOS + rows
        return ids

    @cached_property
    def ids(self) -> Ids:
        """All videos that can be found, in ascending order."""
        found = [self.ids_of(part) for part in self.manifest.parts]
        return np.concatenate(found) if found else np.empty(0, np.int64)

    def vectors(self, part: Part, name: str) -> NDArray[np.float16]:
        """A part's mapped vectors `(V, M, D)`, forgotten videos included."""
        file = self.folder.part(part) / name
        try:
            found: NDArray[np.float16] = np.load(file, mmap_mode="r")
        except (OSError, ValueError) as error:
            raise BenchError(f"{file} cannot be read; delete its folder and run bench index again") from error
        return found

    def video(self, id: int) -> dict[str, Any]:
        """The row of a video: `path`, `key`, `duration`, `times`, `mask`."""
        number, row = divmod(id, PART_VIDEOS)
        if number not in self.tables:
            file = self.folder.part(self.parts[number]) / VIDEOS_FILE
            self.tables[number] = pq.read_table(file)
        found: dict[str, Any] = self.tables[number].slice(row, 1).to_pylist()[0]
        return found

    def record(self, ids: Ids) -> Rows:
        """What the method keeps of some videos, in their order, read from disk."""
        numbers, rows = np.divmod(ids, PART_VIDEOS)
        found = np.empty((len(ids), self.layout.size), np.uint8)
        for number in np.unique(numbers).tolist():
            here, part = numbers == number, self.parts[number]
            found[here] = self.layout.read(self.folder.part(part), part.videos, rows[here])
        device = self.run.method.logit_scale.device
        return with_tensors(self.template, [tensor.to(device) for tensor in self.layout.tensors(found)])

    def scores(self, texts: Texts, rows: Rows) -> Tensor:
        """Leak-free scores `(N, V)` of texts with videos, by the method's algebra or its modules."""
        method = self.run.method
        index = ScoringIndex(rows, None, self.obstacle, weights_state(method), method.dimensions)
        precision = self.run.spec.evaluation.precision
        return score_matrix(method, texts, index, noise=self.run.noise, precision=precision)

    def best(self, texts: Texts, k: int) -> Sequence[Ids]:
        """The exact top `k` of each text among all videos, part by part; never more than one in memory."""
        top = torch.full((len(texts), 0), -torch.inf)
        names = np.empty((len(texts), 0), np.int64)
        for ids in self.id_parts():
            scores = self.scores(texts, self.record(ids))
            top = torch.cat([top, scores], dim=1)
            names = np.concatenate([names, np.broadcast_to(ids, scores.shape)], axis=1)
            kept = top.topk(min(k, top.shape[1]), dim=1)
            top, names = kept.values, np.take_along_axis(names, kept.indices.numpy(), axis=1)
        return list(names)

    def id_parts(self) -> Iterator[Ids]:
        """The videos of each part that has any."""
        return (ids for part in self.manifest.parts if len(ids := self.ids_of(part)))

"""A finished run's checkpoint, scored again where nothing may change a score.

    python -m core.running.score_again RUN OUT

It runs in a process of its own that holds nothing of the audit, so that a method meets what it met in the
run. The first split that the run has scored is encoded once; then its queries come in another order, without
half of them, and one at a time, its videos in another order, and both under other keys.
"""

import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from traceback import format_exception

import torch
from safetensors.torch import save_file
from torch import Tensor

from core.batch import Texts, Videos, stable_keys
from core.dataset import PIXELS_ONLY
from core.encoders.entry import EncoderKind, training_set
from core.errors import BenchError
from core.method import NoiseSource
from core.plugin_errors import PluginError, blamed
from core.progress import Silent
from core.retriever import Retriever, SplitData
from core.running.cells import prepare_inputs
from core.running.copies import shared_with_train
from core.running.trained import trained_retriever
from core.runs import RunDirectory, write_json
from core.scoring.noise import RenamedNoise, scoring_noise
from core.scoring.scoring import ScoringIndex, build_index, exact_arithmetic, score_matrix
from core.spec import RunSpec
from core.threads import torch_threads

MOST_SCORES = 2**22
"""Of a matrix; of a larger split some queries are asked, against all videos."""
ASKED_ALONE = 12
"""Queries that are asked one at a time."""
RECORDS, SCORES = "again.json", "again.safetensors"
"""What is written into OUT."""


@dataclass(frozen=True)
class Again:
    """A split of a run, encoded."""

    retriever: Retriever
    spec: RunSpec
    texts: Texts
    videos: Videos

    @cached_property
    def noise(self) -> NoiseSource:
        """That of the run's leak-free scores."""
        return scoring_noise(self.retriever.method.config, self.spec.seeds.noise, released=False)

    def index(self, videos: Videos) -> ScoringIndex:
        """As the run builds it."""
        return build_index(self.retriever.method, videos, engine=self.spec.evaluation.engine, released=False)

    @cached_property
    def plain(self) -> ScoringIndex:
        """Of the videos in their order."""
        return self.index(self.videos)

    def scores(self, texts: Texts, index: ScoringIndex, noise: NoiseSource | None = None) -> Tensor:
        """Leak-free scores `(N, V)`."""
        return score_matrix(
            self.retriever.method,
            texts,
            index,
            noise=noise or self.noise,
            precision=self.spec.evaluation.precision,
        )

    def variants(self) -> Iterator[tuple[str, Tensor, Tensor]]:
        """Name, queries `(n,)` by number, and their scores `(n, V)` with the videos in their order."""
        count, gallery = len(self.texts), len(self.videos)
        draw = torch.Generator().manual_seed(1)
        every, mixed = torch.arange(count), torch.randperm(count, generator=draw)
        order = torch.randperm(gallery, generator=draw)
        yield "as in the run", every, self.scores(self.texts, self.plain)
        yield "queries shuffled", mixed, self.scores(self.texts[mixed], self.plain)
        yield "half of them removed", every[::2], self.scores(self.texts[::2], self.plain)
        chosen = mixed[:ASKED_ALONE]
        single = [self.scores(self.texts[n : n + 1], self.plain) for n in chosen.tolist()]
        yield "one at a time", chosen, torch.cat(single)
        moved = self.scores(self.texts, self.index(self.videos[order]))
        yield "videos in another order", every, moved[:, order.argsort()]
        yield "other keys", every, self.renamed()

    def renamed(self) -> Tensor:
        """Scores under other keys, with the noise that was drawn under the old ones."""
        texts, videos = self.texts.keys, self.videos.keys
        named, filed = (
            stable_keys([f"{side} {key}" for key in keys.tolist()]).to(keys.device)
            for side, keys in (("text", texts), ("video", videos))
        )
        return self.scores(
            replace(self.texts, keys=named),
            self.index(replace(self.videos, keys=filed)),
            RenamedNoise(self.noise, (named, texts), (filed, videos)),
        )


def score_again(directory: RunDirectory, out: Path) -> None:
    """Writes the scores of every variant, and what is known of the data, into a folder."""
    spec = directory.read_spec()
    inputs = prepare_inputs(spec, Silent(), workers=1)
    retriever, name = trained_retriever(directory, spec, inputs), spec.evaluation.splits[0]
    split, method = inputs.dataset.splits[name], retriever.method
    data = SplitData.of(split, inputs.clip, inputs.store, spec.text_tokens)
    asked = torch.arange(0, len(data.tokens), 1 + len(data.tokens) * len(data.rows) // MOST_SCORES)
    some = replace(data, tokens=data.tokens[asked], text_keys=data.text_keys[asked])
    with exact_arithmetic(method), blamed(type(method), "scoring again"):
        texts, videos = retriever.encode_texts(some), retriever.encode_videos(data)
        variants = list(Again(retriever, spec, texts, videos).variants())
    kept = torch.tensor([n for n, v in enumerate(split.video_of_caption) if v not in split.absent])
    tensors = {"pairing": data.pairing[asked], "query": kept[asked]}
    for variant, rows, scores in variants:
        tensors |= {f"{variant}/query": rows.clone(), f"{variant}/scores": scores.contiguous()}
    save_file(tensors, out / SCORES)
    towers: list[tuple[EncoderKind, str]] = [("backbone", spec.backbone)]
    if method.needs.sound:
        towers.append(("audio encoder", spec.audio_encoder))
    write_json(
        out / RECORDS,
        {
            "code": inputs.code,
            "sound": method.needs.sound,
            "gallery": method.needs.gallery,
            "ceiling": inputs.dataset.ceilings.get(name, {}).get(PIXELS_ONLY, {}).get("all"),
            "copies": vars(shared_with_train(inputs.dataset, inputs.store, name)),
            "training_data": {encoder: training_set(kind, encoder) for kind, encoder in towers},
        },
    )


def main(folder: str, out: str) -> None:
    """Scores a run again; what stops it is written in place of the answer."""
    directory, place = RunDirectory(Path(folder)), Path(out)
    try:
        with torch_threads(directory.read_spec().training.threads):
            score_again(directory, place)
    except BenchError as error:
        behind = "".join(format_exception(error.__cause__)) if error.__cause__ else ""
        plugin = isinstance(error, PluginError)
        write_json(place / RECORDS, {"refused": str(error), "plugin": plugin, "behind": behind})


if __name__ == "__main__":
    main(*sys.argv[1:])

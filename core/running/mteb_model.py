"""A finished run as a model of mteb: it implements mteb's `SearchProtocol` (mteb 2.20 and later).

    import mteb
    from core.running.mteb_model import RunSearch

    mteb.evaluate(RunSearch("runs/gaid-msrvtt-1a2b3c4d", "work"), mteb.get_task("MSRVTTT2VA"), cache=None)

mteb asks the run for its best candidates and scores them itself. Videos are decoded and encoded as the run
did it with its own (`load_run`), not as mteb would. A task without a column `audio` gives no sound, whatever
is in the video's file: that is what such a task measures.
"""

from collections.abc import Mapping, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any

import torch

from core.batch import Texts
from core.dataset import Video
from core.errors import BenchError
from core.extras import require_extra
from core.media.sound_source import SoundSource
from core.paths import written_whole
from core.progress import Progress, Silent
from core.running.trained import TrainedRun, load_run
from core.scoring.scoring import ScoringIndex, build_index, score_matrix
from core.visible import visible_line

TEXT_BATCH = 256
"""Queries that are encoded at a time."""


class RunSearch:
    """A run that mteb can index a corpus with and search it."""

    def __init__(
        self, run: str | Path, folder: str | Path, *, workers: int = 1, progress: Progress | None = None
    ) -> None:
        """Loads a run; what is decoded of a corpus stays in `folder`, and the same corpus is decoded once.

        Raises `BenchError` where mteb is not installed, as `load_run`, and for a method that reads captions
        of the videos, of which mteb's tasks have none.
        """
        require_extra("a model of mteb", "mteb")
        self.progress = progress or Silent()
        self.run: TrainedRun = load_run(run, self.progress)
        self.folder, self.workers = Path(folder), workers
        self.names: tuple[str, ...] = ()
        self.indexed: ScoringIndex | None = None
        if self.run.method.needs.video_captions:
            raise BenchError(
                f"{self.run.spec.method} reads captions of the videos, which mteb's tasks do not have; "
                "choose a run without them"
            )

    def index(
        self,
        corpus: Any,
        *,
        task_metadata: Any,
        hf_split: str,
        hf_subset: str,
        encode_kwargs: Mapping[str, Any],
        num_proc: int | None,
        **kwargs: Any,
    ) -> None:
        """Decodes and encodes the videos of a corpus; those that do not decode are never found.

        `corpus` is a `datasets.Dataset` with the columns `id`, `video` and, where a task has sound, `audio`.
        Raises `BenchError` where it has no videos or none can be used.
        """
        place = self.folder / corpus_key(task_metadata, hf_split, hf_subset, corpus["id"])
        videos = corpus_videos(corpus, place / "media")
        encoded = self.run.encode_files(
            videos, place, workers=num_proc or self.workers, progress=self.progress
        )
        lost = len(videos) - len(encoded.rows)
        if lost:
            self.progress.say(f"{lost} of {len(videos)} videos have no picture that decodes; none is found")
        self.names = tuple(encoded.store.ids[row] for row in encoded.rows.tolist())
        engine = self.run.spec.evaluation.engine
        self.indexed = build_index(self.run.method, encoded.videos, engine=engine)

    def search(
        self,
        queries: Any,
        *,
        task_metadata: Any,
        hf_split: str,
        hf_subset: str,
        top_k: int,
        encode_kwargs: Mapping[str, Any],
        top_ranked: Mapping[str, Sequence[str]] | None = None,
        num_proc: int | None,
        **kwargs: Any,
    ) -> dict[str, dict[str, float]]:
        """Query -> video -> leak-free score, of the best `top_k` videos of each query.

        `queries` is a `datasets.Dataset` with the columns `id` and `text`; `top_ranked` names the candidates
        of each query where the task has it only order them.
        """
        if self.indexed is None:
            raise BenchError("search comes after index; index a corpus first")
        if "text" not in queries.column_names:
            raise BenchError(
                f"the queries have the columns {', '.join(queries.column_names)} and no text; "
                "a run answers texts with videos"
            )
        found = {}
        names, captions = list(queries["id"]), list(queries["text"])
        for first in range(0, len(captions), TEXT_BATCH):
            texts = self.run.encode_texts(captions[first : first + TEXT_BATCH])
            scores = self.scores(texts, self.indexed)
            for name, row in zip(names[first : first + TEXT_BATCH], scores, strict=True):
                found[name] = self.best(row, top_k, None if top_ranked is None else top_ranked[name])
        return found

    def scores(self, texts: Texts, index: ScoringIndex) -> torch.Tensor:
        """Scores `(N, V)` against the videos of an index."""
        run = self.run
        precision = run.spec.evaluation.precision
        return score_matrix(run.method, texts, index, noise=run.noise, precision=precision).cpu()

    def best(self, scores: torch.Tensor, top_k: int, among: Sequence[str] | None) -> dict[str, float]:
        """The best videos of a row of scores `(V,)`, of all or of some."""
        if among is not None:
            allowed = set(among)
            kept = [place for place, name in enumerate(self.names) if name in allowed]
        else:
            kept = list(range(len(self.names)))
        chosen = scores[kept]
        order = chosen.argsort(descending=True, stable=True)[:top_k].tolist()
        return {self.names[kept[place]]: float(chosen[place]) for place in order}

    @property
    def mteb_model_meta(self) -> Any:
        """What the run is, as mteb keeps it beside its results."""
        from mteb.models.model_meta import ModelMeta

        run, sound = self.run, self.run.audio is not None
        return ModelMeta(
            loader=None,
            name=f"av-retrieval-bench/{run.directory.path.name}",
            revision=sha256(run.fingerprint.encode()).hexdigest()[:12],
            release_date=None,
            languages=["eng-Latn"],
            n_parameters=sum(p.numel() for p in [*run.clip.model.parameters(), *run.method.parameters()]),
            memory_usage_mb=None,
            max_tokens=run.spec.text_tokens,
            embed_dim=run.clip.width,
            license=None,
            open_weights=False,
            public_training_code=None,
            public_training_data=None,
            framework=["PyTorch"],
            similarity_fn_name=None,
            use_instructions=False,
            training_datasets=None,
            modalities=["text", "video", *(["audio"] if sound else [])],
            experiment_kwargs={"method": run.spec.method, "trained on": run.spec.dataset},
        )


def corpus_key(task: Any, split: str, subset: str, names: Sequence[str]) -> str:
    """The name of the folder of a corpus, which another revision or other videos change."""
    text = "\n".join((task.name, str(task.dataset.get("revision")), split, subset, *names))
    return f"{task.name}-{sha256(text.encode()).hexdigest()[:12]}"


def corpus_videos(corpus: Any, media: Path) -> list[Video]:
    """The videos of a corpus; what it holds as bytes is written into `media`.

    Raises `BenchError` where a corpus or a row of it has no video.
    """
    import datasets

    if "video" not in corpus.column_names:
        raise BenchError(
            f"the corpus has the columns {', '.join(corpus.column_names)} and no video; a run indexes videos"
        )
    rows = corpus.cast_column("video", datasets.Video(decode=False))
    sounds: Sequence[Any] = [None] * len(rows)
    if "audio" in rows.column_names:
        sounds = rows.cast_column("audio", datasets.Audio(decode=False))["audio"]
    found = []
    for name, video, sound in zip(rows["id"], rows["video"], sounds, strict=True):
        path = media_path(name, video, media)
        if path is None:
            raise BenchError(f"the corpus has no video for '{visible_line(str(name))}'; it cannot be indexed")
        found.append(Video(name, path, sound=sound_beside(path, media_path(name, sound, media))))
    return found


def media_path(name: str, item: Mapping[str, Any] | None, media: Path) -> Path | None:
    """The file of a media item that was not decoded; None where there is none.

    Its own path where that is a file here, else its bytes in a file that is named after them.
    """
    if item is None:
        return None
    given = Path(item["path"]) if item.get("path") else None
    if given is not None and given.is_file():
        return given
    content = item.get("bytes")
    if content is None:
        return given
    suffix = given.suffix if given else ""
    path = media / f"{sha256(content).hexdigest()[:24]}{suffix}"
    if not path.exists():
        media.mkdir(parents=True, exist_ok=True)
        with written_whole(path, len(content)) as temporary:
            temporary.write_bytes(content)
    return path


def sound_beside(video: Path, sound: Path | None) -> SoundSource:
    """Where the sound of a video is, given the file of its column `audio`."""
    if sound is None:
        return "none"
    return "own track" if sound == video else sound

"""A data set of the bench as a retrieval task of mteb, and a run evaluated on tasks by mteb itself."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from core.dataset import Split
from core.datasets import load_dataset
from core.datasets.missing import dropped
from core.errors import BenchError, unknown_name
from core.progress import Progress
from core.running.mteb_model import RunSearch
from core.spec import RunSpec

MEASURES_OF_MTEB = {"R@1": "recall_at_1", "R@5": "recall_at_5", "R@10": "recall_at_10"}
"""Our name of a measure -> mteb's, which is a share and no points."""


def own_task(spec: RunSpec, split: str, progress: Progress) -> Any:
    """The data set of a run as a task: a text is a query, a video a document, one of them relevant.

    Videos without a file are left out with their captions. Raises `BenchError` for an unknown split.
    """
    dataset = load_dataset(spec.dataset, progress, workers=1, options=spec.data)
    if split not in dataset.splits:
        raise unknown_name("split", split, dataset.splits)
    return retrieval_task(spec.dataset, dataset.splits[split], split, dataset.fingerprint)


def retrieval_task(name: str, split: Split, split_name: str, fingerprint: str) -> Any:
    """A split as a task of mteb whose data are there already."""
    import datasets
    from mteb.abstasks.retrieval import AbsTaskRetrieval
    from mteb.abstasks.task_metadata import TaskMetadata

    present = dropped(split)
    paths = [str(video.path) for video in present.videos]
    sounds = [str(v.path) if v.sound == "own track" else heard_path(v.sound) for v in present.videos]
    columns = {"id": [video.id for video in present.videos], "video": paths, "audio": sounds}
    texts = datasets.Features(dict.fromkeys(columns, datasets.Value("string")))
    # as paths first: making media of them at once would ask for torchcodec
    corpus = datasets.Dataset.from_dict(columns, features=texts)
    corpus = corpus.cast_column("video", datasets.Video(decode=False))
    corpus = corpus.cast_column("audio", datasets.Audio(decode=False))
    names = [f"query {number}" for number in range(len(present.captions))]
    queries = datasets.Dataset.from_dict({"id": names, "text": list(present.captions)})
    relevant = {
        query: {present.videos[video].id: 1}
        for query, video in zip(names, present.video_of_caption, strict=True)
    }

    class SplitTask(AbsTaskRetrieval):
        metadata = TaskMetadata(
            name=f"{name}-{split_name}",
            description=f"The split {split_name} of {name}, as av-retrieval-bench reads it.",
            dataset={"path": name, "revision": fingerprint},
            type="Any2AnyRetrieval",
            category="t2va",
            modalities=["text", "video", "audio"],
            eval_splits=[split_name],
            eval_langs=["eng-Latn"],
            main_score="ndcg_at_10",
        )

        def load_data(self, *args: Any, **kwargs: Any) -> None:
            self.dataset = {
                "default": {
                    split_name: {
                        "corpus": corpus,
                        "queries": queries,
                        "relevant_docs": relevant,
                        "top_ranked": None,
                    }
                }
            }
            self.data_loaded = True

    return SplitTask()


def heard_path(sound: object) -> str | None:
    """The file that a video's sound is in, apart from the video; None where it has none."""
    return str(sound) if isinstance(sound, Path) else None


def tasks_named(names: Sequence[str]) -> list[Any]:
    """Tasks of mteb by name; raises `BenchError` for an unknown one."""
    import mteb

    try:
        return list(mteb.get_tasks(tasks=list(names)))
    except (KeyError, ValueError) as error:
        raise BenchError(
            f"mteb has no such task: {' '.join(str(error).split())}; see mteb.get_tasks(modalities=['video'])"
        ) from error


def evaluated(model: RunSearch, tasks: Sequence[Any]) -> dict[str, Mapping[str, Any]]:
    """Task -> its result as mteb writes it; nothing is kept in mteb's own cache.

    Raises `BenchError` where mteb cannot read a task's data, or the task asks for other media.
    """
    import mteb

    found: dict[str, Mapping[str, Any]] = {}
    for task in tasks:
        try:
            result = mteb.evaluate(model, task, cache=None, co2_tracker=False, show_progress_bar=False)
        except (OSError, ValueError) as error:  # no such data here, or a task of other kinds of media
            raise refused_task(task, error) from error
        if not result.task_results:
            raise refused_task(task, next(iter(result.exceptions or ()), "no result"))
        found[task.metadata.name] = result.task_results[0].model_dump(mode="json")
    return found


def refused_task(task: Any, reason: object) -> BenchError:
    """The error for a task that mteb cannot evaluate a run on."""
    return BenchError(f"mteb cannot evaluate on {task.metadata.name}: {' '.join(str(reason).split())}")


def recalls(result: Mapping[str, Any]) -> dict[str, float]:
    """R@1, R@5 and R@10 in points of a result's first split, to the decimals that mteb keeps."""
    scores = next(iter(result["scores"].values()))[0]
    return {ours: round(100 * scores[theirs], 3) for ours, theirs in MEASURES_OF_MTEB.items()}

"""The model card of a run: what it is, its figures with their protocol, and what they may be used for."""

from huggingface_hub import EvalResultEntry, ModelCard, ModelCardData

from core.evaluation.measures import MEASURES
from core.registry import find_method
from core.run_files import CHECKPOINT
from core.running.axes import reads
from reports.accuracy import leak_table, metrics_table
from reports.collect import Run
from reports.header import Header, header_of
from reports.results import Results
from reports.table import rounded
from reports.write import markdown

HUB_MEASURES = ("R@1", "R@5", "R@10")
"""Measures that a page of the Hub lists."""
TAGS = ("text-video-retrieval", "text-to-video-retrieval", "audio-visual", "av-retrieval-bench")
NOT_LISTED = "The released condition knows which caption a video was stored with and is not listed there."


def model_card(run: Run, licence: str | None) -> str:
    """README.md of a run's repository; `licence` is the identifier that its owner chose."""
    results = Results.of([run])
    header = header_of(results)
    method = find_method(run.spec.method)
    data = ModelCardData(
        language="en", license=licence, library_name="av-retrieval-bench", tags=[*TAGS, method.name]
    )
    tables = [table for table in (metrics_table(results, "t2v"), leak_table(results)) if table]
    use = [
        "```python",
        "from huggingface_hub import snapshot_download",
        "from core import load_run",
        "",
        'run = load_run(snapshot_download("OWNER/NAME"))',
        "```",
        "",
        f"`{CHECKPOINT}` holds what training changed: the weights of the method"
        + ("" if run.spec.training.mode == "frozen" else " and of the trained towers")
        + f". The rest of `{run.spec.backbone}` "
        + (f"and `{run.spec.audio_encoder}` " if reads(run.spec)("sound") else "")
        + "is not in here and has the licence of its owners.",
    ]
    lines = [f"# {run.label}", "", f"{method.title}, {method.paper}; trained on {run.spec.dataset}.", ""]
    content = "\n".join([*lines, *use, "", markdown(tables), *protocol_lines(header)])
    return str(ModelCard(f"---\n{data.to_yaml()}\n---\n\n{content}"))


def protocol_lines(header: Header) -> list[str]:
    """The protocol of a run, and what its figures may be used for."""
    lines = ["## Protocol", ""]
    for _, points in header.protocols:
        lines += [f"- {name}: {value}" for name, value in points]
    return [*lines, "", " ".join(header.use), "", header.made, ""]


def result_entries(run: Run, dataset: str) -> list[EvalResultEntry]:
    """Leak-free text-to-video figures without rescoring, an entry per split and measure.

    `dataset` is the identifier of a data set on the Hub. The notes carry the protocol.
    """
    entries = []
    for asked, answers in run.answers.items():
        if asked[1:] != ("leak-free", "none", "t2v"):
            continue
        protocol = answers.entry.protocol
        notes = (
            f"leak-free; split {asked.split}: {protocol.queries:,} queries, {protocol.gallery:,} videos, "
            f"gallery {protocol.gallery_fingerprint[:12]}; "
            f"checkpoint chosen by {run.spec.training.selection}; seed {run.spec.seeds.initialisation}; "
            f"in points. {NOT_LISTED}"
        )
        for name in HUB_MEASURES:
            measure = MEASURES[name]
            entries.append(
                EvalResultEntry(
                    dataset_id=dataset,
                    task_id=f"text_to_video_{asked.split}_recall_at_{name.removeprefix('R@')}",
                    value=float(rounded(answers.figure(measure), 3)),
                    date=run.manifest.started,
                    notes=notes,
                )
            )
    return entries

"""`bench export trec`: a run's lists and judgements as `trec_eval`, ranx and their kin read them.

Identifiers have no white space in TREC files, so video names are percent-encoded; a text is named by its
position in the split. In video-to-text a video is the query and a document is the caption group of a video,
named by that video.
"""

from collections.abc import Mapping
from urllib.parse import quote

from reports.collect import Run
from reports.lists import ListedVideo, read_lists
from reports.queries import Answers, not_scored


def trec_files(run: Run, split: str, condition: str, rescoring: str) -> Mapping[str, str]:
    """`DIRECTION.run` and `DIRECTION.qrels` of both directions, by file name.

    The lists hold the best candidates that the run kept. Raises `BenchError` where the run has no such
    protocol or a file of it cannot be read.
    """
    protocol = (split, condition, rescoring)
    found = {asked: answers for asked, answers in run.answers.items() if asked[:3] == protocol}
    if not found:
        raise not_scored(run.name, protocol, run.answers)
    contents = {}
    for asked, answers in found.items():
        contents[f"{asked.direction}.run"] = run_lines(read_lists(run.directory, asked), run.name)
        contents[f"{asked.direction}.qrels"] = judgement_lines(answers)
    return contents


def run_lines(lists: Mapping[int, list[ListedVideo]], tag: str) -> str:
    """`query Q0 document rank score tag`, a line per kept candidate."""
    return "".join(
        f"{query} Q0 {quote(listed.video)} {listed.position} {listed.score:.9g} {tag}\n"
        for query, candidates in lists.items()
        for listed in candidates
    )


def judgement_lines(answers: Answers) -> str:
    """`query 0 document 1`: every query has one relevant document, its own video."""
    return "".join(
        f"{query} 0 {quote(video)} 1\n"
        for query, video in zip(answers.query.tolist(), answers.video.tolist(), strict=True)
    )

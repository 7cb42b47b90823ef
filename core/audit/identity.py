"""Identity: a text and a video are what is in them, not what they are called.

Under noise that is the same for all, other keys must change no score: keys of other names, own pairs that
share a key, and one key for all. The method has trained on some of these pairs, so that a table of what it
has seen is found as well; one that holds other pairs is found by its look at the keys of both.
"""

from dataclasses import replace

import torch
from torch import Tensor

from core.audit.change import Change
from core.audit.keys import KeyBlindNoise, TracedKeys
from core.audit.subject import VIDEOS, Subject
from core.audit.verdict import Verdict, judged
from core.batch import Rows, Texts, stable_keys
from core.method import Method
from core.scoring.scoring import exact_arithmetic


def identity(subject: Subject) -> Verdict:
    """Scores under four namings of the same texts and videos, and who reads the names."""
    method, world = subject.compared()
    texts, videos = world.texts[:VIDEOS], world.videos

    def scored(text_keys: Tensor, video_keys: Tensor) -> Tensor:
        return subject.scores(
            method,
            replace(texts, keys=text_keys),
            replace(videos, keys=video_keys),
            noise=KeyBlindNoise(),
        )

    named = scored(texts.keys, videos.keys)
    own = stable_keys([f"pair {v}" for v in range(VIDEOS)])
    others = stable_keys([f"other {v}" for v in range(2 * VIDEOS)])
    changes = {
        "other keys": Change.between(scored(others[:VIDEOS], others[VIDEOS:]), named),
        "own pairs share a key": Change.between(scored(own, own), named),
        "one key for all": Change.between(scored(torch.zeros_like(own), torch.zeros_like(own)), named),
    }
    reader = reads_both(subject)
    failed = {name: change for name, change in changes.items() if not change.none}
    figure = "score change: " + ", ".join(f"{name} {change}" for name, change in changes.items())
    meaning = "A text and a video are judged by what is in them, whatever they are called."
    if failed:
        name, change = next(iter(failed.items()))
        meaning = f"With {name}, {change.where}: `score` or `index` looks its names up; use contents only."
    elif reader:
        meaning = (
            f"The keys of a text and of a video are {reader}; a table of pairs needs no more. Use `noise`."
        )
    return subject.verdict("identity", judged(not failed and not reader), figure, meaning)


def reads_both(subject: Subject) -> str:
    """How `score` uses the keys of both sides beside the noise; empty where it does not."""
    method, world = subject.compared()
    texts = replace(world.texts[:VIDEOS], keys=TracedKeys.of(world.texts.keys[:VIDEOS], "text"))
    videos = replace(world.videos, keys=TracedKeys.of(world.videos.keys, "video"))
    seen: list[frozenset[str]] = []
    index = subject.index(method, videos)
    with TracedKeys.watched() as escaped:
        for block, part in ((slice(0, 5), slice(0, 9)), (slice(5, None), slice(9, None))):
            scores = raw_scores(subject, method, texts[block], index.videos[part], index.obstacle)
            seen.append(scores.origins if isinstance(scores, TracedKeys) else frozenset())
    if any(len(origins) == 2 for origins in seen):
        return "carried into the scores"
    return "read while scoring" if len(escaped) == 2 else ""


def raw_scores(subject: Subject, method: Method, texts: Texts, rows: Rows, obstacle: str) -> Tensor:
    """What the method's algebra, or its modules, make of one tile; the engine would drop the marks."""
    noise = KeyBlindNoise()
    with subject.blamed("score"), exact_arithmetic(method):
        exact = None if obstacle else method.exact
        if exact is None:
            return method.score(texts, rows, noise)
        found: Tensor = exact.score(exact.queries(texts, noise), rows, noise)
        return found

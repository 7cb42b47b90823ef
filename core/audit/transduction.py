"""Test-set statistics: whether the score of a query depends on which other queries are asked.

A search engine gets one query at a time. What is rescored with all of them (dual softmax) or with a bank of
others (QB-Norm) is another protocol and says so.
"""

import torch

from core.audit.change import Change
from core.audit.subject import VIDEOS, Subject
from core.audit.verdict import Verdict, judged
from core.evaluation.rescoring import dual_softmax, qb_norm, query_bank


def test_set_statistics(subject: Subject) -> Verdict:
    """The scores of half of the queries, with the other half there and removed."""
    method, world = subject.compared()
    texts, bank_texts, half = world.texts[:VIDEOS], world.texts[VIDEOS:], VIDEOS // 2
    every = subject.scores(method, texts, world.videos)
    few = subject.scores(method, texts[:half], world.videos)
    raw = Change.between(few, every[:half])
    dsl = Change.between(dual_softmax(every[:half]), dual_softmax(every)[:half])
    nobody = torch.full((len(bank_texts),), -1)  # the bank's own videos are not in the gallery
    bank_scores = subject.scores(method, bank_texts, world.videos, nobody)
    banked = "undefined"
    if bool(bank_scores.isfinite().all()):
        bank = query_bank(bank_scores)
        banked = str(Change.between(qb_norm(every[:half], bank), qb_norm(every, bank)[:half]))
    used = f"after DSL {dsl} (uses all test queries), after QB-Norm {banked} (uses a bank of captions)"
    meaning = (
        "A query is scored by itself; DSL is transductive, QB-Norm uses other captions."
        if raw.none
        else f"When other test queries are removed, {raw.where}: look at `score`."
    )
    return subject.verdict("test-set statistics", judged(raw.none), f"score change: {raw}; {used}", meaning)

"""Selection: which split chose the checkpoint, and what the best of many looks gains by luck."""

import torch
from torch import Tensor

from core.audit.subject import Subject
from core.audit.verdict import Verdict, judged
from core.axes import sided
from core.evaluation.statistics import RESAMPLES, resampled_means
from core.spec import TrainingSpec

RULES = {
    "last": "the last epoch, no look at any split",
    "val": "the best look at the validation split",
    "test-best": "the best look at the test split",
}
"""What each `training.selection` takes."""


def optimism(credit: Tensor, clusters: Tensor, looks: int, seed: int = 0) -> float:
    """Points by which the best of `looks` equally good looks at a test set exceeds what each is worth.

    `credit` `(Q,)` is what each query adds to R@1, `clusters` `(Q,)` which of them stand or fall together.
    Simulated: every look is a bootstrap sample of the queries' credit, and the expected maximum of so many
    independent samples is taken over their empirical distribution. Looks of one training share most of
    their hits, so this bounds the optimism from above.
    """
    if looks < 2:
        return 0.0
    means = 100 * resampled_means(credit, clusters, seed=seed, resamples=RESAMPLES)
    below = torch.arange(len(means) + 1, dtype=torch.float64) / len(means)
    weights = (below**looks).diff()  # probability that the best look is the i-th smallest sample
    return float((weights * means.sort().values).sum() - means.mean())


def selection(subject: Subject) -> Verdict:
    """The rule by which runs of the method choose their checkpoint unless told otherwise."""
    recipe, key = sided(subject.method.recipe), "training.selection"
    rules = {str(recipe.get(key, TrainingSpec().selection))}
    rules |= {str(value) for name, value in recipe.items() if name.startswith(f"{key}@")}
    clean = "test-best" not in rules
    meaning = (
        "Its figures are not chosen on the data that they are measured on."
        if clean
        else "Its checkpoint is chosen on the data that its figures are measured on."
    )
    figure = "by default " + ", ".join(RULES[rule] for rule in sorted(rules))
    return subject.verdict("selection", judged(clean), figure, meaning)

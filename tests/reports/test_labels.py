"""A label says what tells a row from the others; what it leaves out is said once, and nothing is lost."""

import itertools

import pytest

from core.resolving import resolve
from core.spec import RunSpec
from reports.labels import Labels, label

FUSION_TABLE = {
    "config.pooling": "mean",
    "config.perturbation": "none",
    "training.epochs": 12,
    "training.validate_every": 3,
}


def specs(*changes: dict[str, object], method: str = "gaid") -> list[RunSpec]:
    return [resolve(method, "avworld", change) for change in changes]


@pytest.mark.parametrize(
    ("method", "overrides", "expected"),
    [
        ("gaid", {}, "GAID"),
        ("gaid", {"config.fusion": "sample"}, "GAID (fusion=sample)"),
        ("gaid", {"seeds.data": 3, "seeds.noise": 4}, "GAID"),
        ("tmass", {"frames": 24, "training.epochs": 2}, "T-MASS (frames=24, training.epochs=2)"),
        ("clip4clip", {"evaluation.splits": ["val", "test"]}, "CLIP4Clip (evaluation.splits=val+test)"),
    ],
)
def test_a_label_names_the_method_and_what_differs_from_its_defaults(
    method: str, overrides: dict[str, object], expected: str
) -> None:
    assert label(resolve(method, "avworld-tiny", overrides)) == expected


def test_what_every_run_shares_is_said_once() -> None:
    rows = specs(*({"config.fusion": f, **FUSION_TABLE} for f in ("none", "sample", "frame")))
    labels = Labels.among(rows)
    assert [labels.of(row) for row in rows] == ["GAID (fusion=none)", "GAID (fusion=sample)", "GAID"]
    assert labels.notes == [
        "In every run: pooling=mean, perturbation=none, training.epochs=12, training.validate_every=3."
    ]


def test_a_setting_that_is_another_methods_default_stays_in_the_label() -> None:
    rows = specs({"config.pooling": "mean"}) + specs({}, method="clip4clip")
    labels = Labels.among(rows)
    assert [labels.of(row) for row in rows] == ["GAID (pooling=mean)", "CLIP4Clip"]
    assert labels.notes == []


def test_what_rows_of_several_methods_share_is_said_once() -> None:
    epochs = resolve("tmass", "avworld", {}).training.epochs
    other = next(n for n in (3, 4) if n != epochs)
    rows = specs({"training.epochs": other}) + specs({"training.epochs": other}, method="tmass")
    labels = Labels.among(rows)
    assert [labels.of(row) for row in rows] == ["GAID", "T-MASS"]
    assert labels.notes == [f"In every run: training.epochs={other}."]


def test_settings_that_always_come_together_stand_behind_a_mark() -> None:
    rows = specs({}, {"config.perturbation": "none"}, FUSION_TABLE, {"config.fusion": "none", **FUSION_TABLE})
    labels = Labels.among(rows)
    assert [labels.of(row) for row in rows] == [
        "GAID",
        "GAID (perturbation=none)",
        "GAID (perturbation=none, †)",
        "GAID (fusion=none, perturbation=none, †)",
    ]
    assert labels.notes == ["†: pooling=mean, training.epochs=12, training.validate_every=3."]


def trained_for(**epochs: int) -> list[RunSpec]:
    return [resolve(method, "avworld", {"training.epochs": n}) for method, n in epochs.items()]


def test_a_length_in_which_a_methods_rows_agree_is_said_once() -> None:
    rows = trained_for(avigate=48, gaid=48, save=48, dicosa=96, tmass=24, xpool=24, clip4clip=24, emcl=24)
    rows += [resolve("avigate", "avworld", {"training.epochs": 48, "seeds": 1, "config.alpha": 0.25})]
    labels = Labels.among(rows)
    assert [labels.of(row) for row in rows] == [
        *("AVIGATE", "GAID", "SAVE", "DiCoSA", "T-MASS", "X-Pool", "CLIP4Clip", "EMCL-Net"),
        "AVIGATE (alpha=0.25)",
    ]
    assert labels.notes == ["Epochs: DiCoSA 96; AVIGATE, GAID, SAVE 48; the others 24."]


def test_lengths_that_tell_a_methods_rows_apart_stay() -> None:
    rows = trained_for(avigate=24, dicosa=96) + trained_for(avigate=48)
    labels = Labels.among(rows)
    assert [labels.of(row) for row in rows] == ["AVIGATE", "DiCoSA", "AVIGATE (training.epochs=48)"]
    assert labels.notes == ["Epochs: AVIGATE 24 and 48; DiCoSA 96."]


def test_lengths_are_those_of_a_data_set() -> None:
    rows = [
        resolve("xpool", data, {"training.epochs": n}) for data, n in (("avworld", 7), ("avworld-tiny", 9))
    ]
    labels = Labels.among(rows)
    assert [labels.of(row) for row in rows] == ["X-Pool", "X-Pool"]
    assert labels.notes == ["Epochs on avworld: X-Pool 7.", "Epochs on avworld-tiny: X-Pool 9."]


def test_defaults_of_several_lengths_need_no_note() -> None:
    labels = Labels.among([resolve(method, "avworld", {}) for method in ("gaid", "xpool")])
    assert labels.notes == []


def test_seeds_tell_no_rows_apart() -> None:
    rows = specs({"seeds.data": 1}, {"seeds.data": 2})
    labels = Labels.among(rows)
    assert {labels.of(row) for row in rows} == {"GAID"}
    assert labels.notes == []


def test_two_configurations_never_get_the_same_label() -> None:
    values = {"config.fusion": ("none", "sample"), "config.pooling": ("mean",), "frames": (6, 24)}
    choices = [[{}, *({key: value} for value in found)] for key, found in values.items()]
    changes = [{**a, **b, **c} for a, b, c in itertools.product(*choices)]
    every = specs(*changes)
    for count in (2, 3, 5):
        for rows in itertools.islice(itertools.combinations(every, count), 0, None, 7):
            labels = Labels.among(rows)
            assert len({labels.of(row) for row in rows}) == len({label(row) for row in rows}) == count

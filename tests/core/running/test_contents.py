"""What a run's splits hold is said before it starts: what is left out, what is wrong, what is cut."""

from pathlib import Path
from types import SimpleNamespace

from core.dataset import Dataset, Split, Video
from core.datasets.missing import apply_missing_policy, mark_absent
from core.running.contents import contents_in_words, with_states


def dataset() -> Dataset:
    videos = tuple(Video(name, Path(f"{name}.mp4")) for name in "abc")
    split = Split(videos, ("one", "two", "three"), (0, 1, 2))
    return Dataset("mine", "f", "m", {"test": split})


STORE = SimpleNamespace(
    ids=("a", "b", "c"),
    states=(("damaged: 3 of 80 frames do not decode",), (), ()),
    status=("audible", "silent", "undecodable"),
    reason=("", "digital silence", "no such file"),
)


def test_all_that_is_left_out_wrong_or_cut_is_said():
    marked = apply_missing_policy(mark_absent(dataset(), {"c": "no such file"}, "drop"), "drop")
    assert list(contents_in_words("mine", marked, STORE, {"test": 1})) == [
        "mine holds test 2 videos, 2 captions; drop: 1 of 3 test videos cannot be used, they and their "
        "captions are left out",
        "mine: 1 damaged: a (3 of 80 frames do not decode)",
        "mine: 1 silent: b (digital silence)",
        "mine: captions cut because they are longer than is read: 1 of 2 test",
    ]
    assert with_states(marked, STORE).protocol["clips"] == "1 damaged, 1 silent"


def test_no_file_is_missing_where_all_can_be_used():
    whole = SimpleNamespace(ids=STORE.ids, states=((),) * 3, status=("audible",) * 3, reason=("",) * 3)
    assert list(contents_in_words("mine", dataset(), whole, {"test": 0})) == [
        "mine holds test 3 videos, 3 captions; no file is missing"
    ]
    assert "clips" not in with_states(dataset(), whole).protocol

"""Small complete copies of the real data sets, in each layout that users have, made by the tests themselves.

Captions are made up. Videos are written only where a test opens them; elsewhere their files are empty.
"""

import json
import pickle
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from tests.core.media_files import grey_ramp, tone, write_media

TRAIN, TEST = [f"video{i}" for i in range(6)], [f"video{i}" for i in range(6, 9)]
"""MSR-VTT's videos: of the six of training the last belongs to the official test part."""
VATEX = {
    "train": [f"-train{i:05d}_00000{i}_00001{i}" for i in range(4)],
    "val": ["val_0-00000_000000_000010"],
    "test": ["test0_-0000_000000_000010", "test1_-0000_000003_000013"],
}
DIDEMO = {
    "train": ["1@N01_1_a.mov", "1@N01_2_b."],
    "val": ["2@N01_1_c.m4v"],
    "test": ["3@N01_1_d.avi", "3@N01_2_e."],
}
LSMDC_TRAIN = ["0001_Film_00.00.01.000-00.00.02.000", "0002_Other_Film_00.01.00.500-00.01.04.000"]
LSMDC_TEST = ["0003_Third_00.00.01.000-00.00.05.000", "0003_Third_00.00.09.000-00.00.11.250"]
BROKEN = "1012_Unbreakable_00.05.16.065-00.05.21.941"


def sentences(video: str, count: int = 3) -> list[str]:
    return [f"sentence {i} of {video}" for i in range(count)]


def write(path: Path, content: str | bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def write_json(path: Path, content: Any) -> Path:
    return write(path, json.dumps(content))


def write_lines(path: Path, lines: Iterable[str]) -> Path:
    return write(path, "".join(f"{line}\n" for line in lines))


def touch(folder: Path, names: Iterable[str]) -> None:
    for name in names:
        write(folder / name, b"")


def official_msrvtt(videos: Sequence[str], part: str) -> dict[str, Any]:
    return {
        "info": {},
        "videos": [
            # Two clips are cut from one film each time.
            {
                "video_id": v,
                "url": f"film{int(v[5:]) // 2}",
                "start time": 1.5,
                "end time": 9.5,
                "split": part,
            }
            for v in videos
        ],
        "sentences": [
            {"caption": s, "video_id": v, "sen_id": 0} for v in reversed(videos) for s in sentences(v)
        ],
    }


def msrvtt_clip4clip(root: Path) -> Path:
    """The three csv files and the json of CLIP4Clip's archive."""
    write_json(root / "MSRVTT_data.json", official_msrvtt(TRAIN + TEST, "train"))
    write_lines(root / "MSRVTT_train.9k.csv", ["video_id", *TRAIN])
    write_lines(root / "MSRVTT_train.7k.csv", ["video_id", *TRAIN[:5]])
    rows = [f"ret{i},msr{v[5:]},{v},{sentences(v)[1]}" for i, v in enumerate(TEST)]
    write_lines(root / "MSRVTT_JSFUSION_test.csv", ["key,vid_key,video_id,sentence", *rows])
    touch(root / "MSRVTT_Videos", [f"{v}.mp4" for v in TRAIN + TEST])
    return root


def msrvtt_frozen(root: Path) -> Path:
    """The archive of Frozen in Time."""
    rows = [{"image_id": v, "caption": s} for v in TRAIN + TEST for s in sentences(v)]
    write_json(root / "annotation" / "MSR_VTT.json", {"annotations": rows, "images": []})
    lists = root / "high-quality" / "structured-symlinks"
    write_lines(lists / "train_list_jsfusion.txt", TRAIN)
    write_lines(lists / "train_list_full.txt", TRAIN[:4])
    write_lines(lists / "val_list_full.txt", TRAIN[4:5])
    write_lines(lists / "val_list_jsfusion.txt", TEST)
    write(lists / "jsfusion_val_caption_idx.pkl", pickle.dumps(dict.fromkeys(TEST, 1)))
    touch(root / "videos" / "all", [f"{v}.mp4" for v in TRAIN + TEST])
    return root


def msrvtt_official(root: Path) -> Path:
    """The two official files beside the test table; the rest follows from them."""
    both = official_msrvtt(TRAIN[:5], "train")
    for video in both["videos"][4:]:
        video["split"] = "validate"
    write_json(root / "train_val_videodatainfo.json", both)
    write_json(root / "test_videodatainfo.json", official_msrvtt(TRAIN[5:] + TEST, "test"))
    rows = [f"ret{i};msr{v[5:]};{v};{sentences(v)[1]}" for i, v in enumerate(TEST)]
    table = "\r\n".join(["\ufeffkey;vid_key;video_id;sentence", *rows, ""])
    write(root / "MSRVTT_JSFUSION_test.csv", table)
    touch(root / "TrainValVideo", [f"{v}.mp4" for v in TRAIN[:5]])
    touch(root / "TestVideo", [f"{v}.webm" for v in TRAIN[5:] + TEST])
    return root


def didemo_official(root: Path) -> Path:
    """Sentences in json, the lists beside them; one video of the test also goes by another extension."""
    for split, names in DIDEMO.items():
        rows = [{"video": v, "description": s, "times": [[0, 0]]} for v in names for s in sentences(v, 2)]
        if split == "test":
            rows.append({"video": "3@N01_1_d.mov", "description": "under another name", "times": [[1, 1]]})
        write_json(root / f"{split}_data.json", rows)
        write_lines(root / f"{split}_list.txt", names)
    touch(root / "videos", [v for names in DIDEMO.values() for v in names])
    return root


def didemo_labels(root: Path) -> Path:
    """T-MASS's tables, with the paths of their authors, and converted videos."""
    for split, names in DIDEMO.items():
        header = "success,video_path,starts,ends,text,formatted_data"
        rows = [
            f'True,/home/x/didemo/{v},tensor([[0]]),tensor([[31]]),"{" ".join(sentences(v, 2))}",/x/{i}.pth'
            for i, v in enumerate(names)
        ]
        write_lines(root / f"didemo_{split}_label.csv", [header, *rows])
    touch(root / "mp4", [f"{v.split('.')[0]}.mp4" for names in DIDEMO.values() for v in names])
    return root


def lsmdc_row(clip: str, sentence: str) -> str:
    return "\t".join([clip, "00.00.01.000", "00.00.02.000", "00.00.01.000", "00.00.02.000", sentence])


def lsmdc(root: Path, *, per_film: bool) -> Path:
    """Tables without a header; a repeated clip, a stray quotation mark, a broken clip, an empty sentence."""
    one, two = LSMDC_TRAIN
    rows = [
        lsmdc_row(one, "SOMEONE waits."),
        lsmdc_row(f'"{two}', 'A woman says ""no"" and leaves.'),
        lsmdc_row(BROKEN, "skipped"),
        lsmdc_row(one, "He goes."),
        lsmdc_row(one, "").rstrip("\t"),
    ]
    write_lines(root / "LSMDC16_annos_training.csv", rows)
    write_lines(
        root / "LSMDC16_challenge_1000_publictect.csv", [lsmdc_row(clip, f"in {clip}") for clip in LSMDC_TEST]
    )
    for clip in LSMDC_TRAIN + LSMDC_TEST:
        touch(root / "clips" / (clip.split(".")[0][:-3] if per_film else ""), [f"{clip}.avi"])
    return root


def vatex(root: Path, layout: str) -> Path:
    """HGR's lists with the captions as HGR, CLIP2Video or the owners give them."""
    names = [v for part in VATEX.values() for v in part]
    for split, part in VATEX.items():
        write_lines(root / f"{split}_list.txt", part)
    if layout == "ref_captions":
        write_json(root / "ref_captions.json", {v: sentences(v) for v in names})
    elif layout == "vatex_data":
        write_json(root / "vatex_data.json", {v: {"enCap": sentences(v), "chCap": ["一"]} for v in names})
    else:
        for file, part in (("training", VATEX["train"]), ("validation", VATEX["val"] + VATEX["test"])):
            entries = [{"videoID": v, "enCap": sentences(v), "chCap": ["一"]} for v in part]
            write_json(root / f"vatex_{file}_v1.0.json", entries)
    touch(root / "videos", [f"{v}.mp4" for v in names])
    return root


def make_media(paths: Iterable[Path]) -> None:
    """Real tiny videos, half of them with sound."""
    for number, path in enumerate(sorted(paths)):
        sound = [tone(200 + 100 * number, 0.1, 0.9, 1.0, 16_000)] if number % 2 else None
        ramp = grey_ramp(10, 64, 72)
        ramp[..., number % 3] = 255 - ramp[..., number % 3]
        path.parent.mkdir(parents=True, exist_ok=True)
        write_media(path, ramp, sound=sound)

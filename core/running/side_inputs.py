"""What belongs to the videos of a cell beside their media: texts of and in them, embeddings of a teacher."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

from core.dataset import Dataset
from core.datasets.speech import read_speech
from core.datasets.transcripts import speech_in_words
from core.method import Needs
from core.spec import RunSpec
from core.store.features import Features
from core.store.speech_features import Transcripts
from core.store.storage import Store
from core.store.teacher import read_teacher, teacher_key
from core.store.video_captions import VideoCaption, read_video_captions


def clip_names(dataset: Dataset) -> list[str]:
    """The videos of all splits."""
    return [video.id for split in dataset.splits.values() for video in split.videos]


def video_captions(spec: RunSpec, dataset: Dataset) -> Mapping[str, VideoCaption] | None:
    """The video-side captions that a cell names, by the video's name; None where there are none."""
    if spec.video_captions == "none":
        return None
    file = dataset.video_captions if spec.video_captions == "dataset" else Path(spec.video_captions)
    return None if file is None else read_video_captions(file, clip_names(dataset))


def transcripts(spec: RunSpec, dataset: Dataset) -> Transcripts:
    """What is said in the videos, as a cell names it; in no video where there are no transcripts."""
    if spec.speech == "none":
        said: Mapping[str, str] = {}
    elif spec.speech == "dataset":
        said = dataset.speech or {}
    else:
        said = read_speech(Path(spec.speech), clip_names(dataset))
    return Transcripts(said, spec.text_tokens)


def with_teacher(spec: RunSpec, features: Features, store: Store) -> Features:
    """The features with the embeddings of the teacher that a cell names, where it names one."""
    if spec.teacher == "none":
        return features
    teacher = read_teacher(Path(spec.teacher), store.ids)
    fingerprint = sha256(f"{features.fingerprint} {teacher_key(teacher)}".encode()).hexdigest()
    return replace(features, teacher=teacher, fingerprint=fingerprint)


def teacher_read(features: Features) -> str:
    """For how many clips a teacher's embeddings are known, for the protocol."""
    if features.teacher is None:
        return "none, its term is left out"
    known = int(features.teacher.any(-1).all(-1).sum())
    return f"{known:,} of {len(features.teacher):,} clips"


def speech_read(features: Features) -> str:
    """How many clips have a transcript, for the protocol."""
    tokens = features.speech_tokens
    return "" if tokens is None else speech_in_words(int(tokens.any(1).sum()), len(tokens))


def side_lines(spec: RunSpec, features: Features, needs: Needs) -> Iterator[str]:
    """What a user should know before a method starts that reads speech, or imitates a teacher."""
    if needs.speech and features.speech_tokens is not None:
        line = f"{spec.method} reads speech; {spec.dataset}: {speech_read(features)}"
        if not bool(features.speech_tokens.any()):
            line += ", so every clip counts as without speech; name a file with --set speech=FILE"
        yield line
    if needs.teacher and spec.training.epochs:
        line = f"{spec.method} imitates a teacher of picture and sound: {teacher_read(features)}"
        yield line if features.teacher is not None else f"{line}; name a file with --set teacher=FILE"

"""Finds the sound file of each video where sound lies apart from the videos.

Copies of the data sets are often compressed ones, whose sound CLIP4Clip's preprocessing drops; their sound
lies in a folder of its own, as AVIGATE reads it from `<id>.wav`. A sound file is called like its video, or
like the video's file, with the extension of any container that FFmpeg reads, the uncompressed videos
themselves included, or with `.pt` where it holds the states of an audio encoder, as GAID stores them. It may
lie anywhere below the folder; that of a video that is named with a path lies at that path. A video without
such a file has no sound: its own track is never a stand-in.
"""

import os
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from core.dataset import Split
from core.datasets.listing import CONTAINERS, STATES_SUFFIX, Listing, holds_states
from core.datasets.locate import Located, locate
from core.datasets.tree import Tree, composed, each_once
from core.errors import BenchError
from core.media.sound_source import SoundSource, StatesFile

SOUND_SUFFIXES = (
    ".wav .flac .mp3 .m4a .ogg .opus .oga .aac .ac3 .wma .mka .aif .aiff .au .caf .amr .m4b .m4r .w64 .aifc "
    ".snd .spx .weba .mp2 .mpa .m2a .eac3 .ec3 .dts .ape .wv .tta .tak .thd .mlp .voc .oma .aa3 .qoa .adts"
)
"""Extensions of the containers that hold sound alone."""
EXTENSIONS = frozenset((*SOUND_SUFFIXES.split(), *CONTAINERS, STATES_SUFFIX))
"""Extensions of files whose sound, or states, are read."""


def locate_sounds(name: str, listing: Listing, media: Collection[Path], tree: Tree) -> Located:
    """The sound file of each video of the data set `name`; `media` are the videos' own files, which are none.

    Raises `BenchError` where a video has several, where two videos claim one, where some hold sound and
    others states, and where no video has any.
    """
    by_stem = files_by_stem(tree, media)

    def find(pattern: str) -> list[Path]:
        folder, _, stem = pattern.removesuffix(".*").rpartition("/")
        found, place = by_stem.get(composed(stem), []), composed(str(tree.root / folder))
        return each_once([path for path in found if not folder or composed(str(path.parent)) == place])

    def names_of(video: str) -> list[str]:
        return sound_names(video, listing.file_names(video))

    located = locate(listing.videos, names_of, find, tree.root)
    reasons = {video: f"no {' or '.join(names_of(video))} under {tree.root}" for video in located.missing}
    if located.ambiguous:
        video, reason = next(iter(located.ambiguous.items()))
        counts = f"{len(located.ambiguous):,} of {len(listing.videos):,}"
        raise BenchError(
            f"{name}: the sound of {counts} videos is ambiguous; first: {video} ({reason}); "
            "leave one file per video there"
        )
    if not located.paths:
        video, reason = next(iter(reasons.items()))
        raise BenchError(
            f"{name}: no video has a sound file; first: {video} ({reason}); "
            "name the right folder with --audio"
        )
    kinds = {holds_states(path): path for path in located.paths.values()}
    if len(kinds) > 1:
        raise BenchError(f"{name}: {kinds[True]} holds states and {kinds[False]} sound; keep one kind there")
    return replace(located, missing=reasons)


def sound_names(video: str, file_names: Sequence[str]) -> list[str]:
    """What the sound file of a video may be called, the best first, `*` standing for the extension.

    >>> sound_names("a.mov", ["a.mov", "a.mov.mp4", "a.mp4"])
    ['a.mov.*', 'a.*']
    """
    split = map(os.path.splitext, file_names)
    stems = [stem if ext.lower() in CONTAINERS else stem + ext for stem, ext in split]
    return [f"{stem}.*" for stem in dict.fromkeys((video, *stems))]


def files_by_stem(tree: Tree, media: Collection[Path]) -> dict[str, list[Path]]:
    """The files of a folder that may hold sound, by their names without extension; none of `media`."""
    own, found = set(media), dict[str, list[Path]]()
    for name, paths in tree.files.items():
        stem, extension = os.path.splitext(name)
        if extension in EXTENSIONS:
            found.setdefault(stem, []).extend(path for path in paths if path not in own)
    return found


def sound_in_words(splits: Mapping[str, Split]) -> str:
    """Where the sound of the videos is read from, for the protocol: with the counts where it lies apart."""
    sources: dict[str, list[SoundSource]] = {
        name: [video.sound for video in split.videos] for name, split in splits.items()
    }
    if all(source == "own track" for found in sources.values() for source in found):
        return "own tracks"
    apart = [(name, len(found), len(found) - found.count("none")) for name, found in sources.items()]
    counts = ", ".join(f"{with_file:,} of {videos:,} {name}" for name, videos, with_file in apart)
    states = any(isinstance(source, StatesFile) for found in sources.values() for source in found)
    return f"{'encoder states from' if states else 'separate'} files for {counts} videos"

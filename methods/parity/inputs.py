"""Golden files of what the authors' loaders hand to their models: frames, as the recipe `authors` makes them.

The clip itself is in no golden file: it is found by name and SHA-256 in folders that the caller names.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from core.data_options import Resize, Sampling
from core.encoders.clip import preprocess
from core.encoders.crops import centre_crop
from core.errors import BenchError
from core.media.media import READER_COLOURS
from core.media.opencv_pass import choose_and_read
from core.media.pictures import pixels_of
from core.media.sampling import PADDING
from core.resolving import resolve
from core.spec import RunSpec
from methods.parity.golden import Golden

PIXEL_TOLERANCE = 0.05
"""Of 255, on average over a tensor."""
MEAN = (0.48145466, 0.4578275, 0.40821073)
STD = (0.26862954, 0.26130258, 0.27577711)
"""CLIP's moments (Radford et al. 2021), by channel."""
KINDS: dict[str, Resize] = {"false": "tensor", "true": "tensor-antialiased", "pillow": "antialiased"}
"""Beginning of the metadata `antialias` -> the resize that it means."""


class ClipNotFound(BenchError):
    """The clip of a recording is in none of the folders."""


@dataclass(frozen=True)
class Clips:
    """Where clips are looked for."""

    folders: Sequence[Path] = ()

    def find(self, golden: Golden) -> Path:
        """The clip of a recording; raises `ClipNotFound`."""
        name, wanted = golden.setting("clip"), golden.setting("clip_sha256")
        # a clip of that name may be another encoding: its bytes decide
        same = [file for folder in self.folders for file in sorted(folder.rglob(name)) if file.is_file()]
        for file in same:
            with file.open("rb") as content:
                if hashlib.file_digest(content, "sha256").hexdigest() == wanted:
                    return file
        if same:
            raise ClipNotFound(f"clip {name} in {same[0].parent} is another file: its SHA-256 differs")
        raise ClipNotFound(f"clip not found: {name}; name its folder with --clips DIR")


def check_frames(golden: Golden, clips: Clips) -> None:
    """`out.frame_index`, `derived.frame_landed`, `out.mask`, and the pixels before and after normalising."""
    path = clips.find(golden)
    size, frames = golden.integer("size"), golden.integer("num_frames")
    resize, sampling = resize_and_sampling(golden)
    # numbers that were asked for, and frames on which OpenCV landed: seeking may miss
    chosen = choose_and_read(path, sampling, frames, (0.0, None))
    golden.compare("out.count_header", torch.tensor(chosen.header.count))
    golden.compare("out.fps", torch.tensor(chosen.header.rate, dtype=torch.float64))
    golden.compare("out.frame_index", torch.tensor([read.asked for read in chosen.reads]))
    golden.compare("derived.frame_landed", torch.tensor([read.landed for read in chosen.reads]))
    real = [slot for slot in chosen.slots if slot != PADDING]
    if "out.mask" in golden.names():
        golden.compare("out.mask", torch.tensor([int(slot != PADDING) for slot in chosen.slots]))
    kept = [chosen.found.kept[slot] for slot in real]
    # resized first and cropped then, as the loaders do
    pixels = centre_crop(pixels_of(kept, size, resize, READER_COLOURS["opencv"]), size)
    compare_pixels(golden, pixels)


def resize_and_sampling(golden: Golden) -> tuple[Resize, Sampling]:
    """The resize and the rule of the recording, which must be those of its methods' recipe `authors`.

    A method with `@` behind its name is one under another version of a library, where only the rule holds.
    """
    said = golden.setting("antialias")
    resize = next((kind for begin, kind in KINDS.items() if said.startswith(begin)), None)
    if resize is None:
        raise BenchError(f"{golden.path.name}: antialias '{said}' is none of {', '.join(KINDS)}")
    rules: set[Sampling] = set()
    for name in golden.setting("method").split(","):
        method, at, _ = name.partition("@")
        spec = recipe_of(method)
        rules.add(spec.frame_sampling)
        if not at and spec.data["resize"] != resize:
            raise BenchError(
                f"{golden.path.name}: recorded is data.resize={resize}; the recipe of {method} has "
                f"{spec.data['resize']}"
            )
    if len(rules) != 1:
        raise BenchError(f"{golden.path.name}: its methods choose frames by several rules")
    return resize, rules.pop()


def recipe_of(method: str) -> RunSpec:
    """What a method reads under the recipe of its authors."""
    return resolve(method, "msrvtt", {"recipe": "authors"})


def compare_pixels(golden: Golden, pixels: Tensor) -> None:
    """Crops `(n, size, size, 3)`, values 0 to 255, beside what was recorded of them."""
    slots, grid = golden.input("slots"), golden.input("grid")
    # (n, 3, size, size), the order of the recordings
    planes = pixels.permute(0, 3, 1, 2).float()
    shown = planes[slots]
    compare_on_average(golden, "out.before_grid", shown[..., grid, :][..., grid])
    compare_on_average(golden, "out.mean_before", planes.mean((1, 2, 3)))
    if "out.before_full" in golden.names():
        compare_on_average(golden, "out.before_full", planes[slots[1]][None])
    if "out.after_grid" in golden.names():
        normalised = preprocess(pixels[slots[:1]], pixels.shape[1], torch.tensor(MEAN), torch.tensor(STD))
        golden.compare("out.after_grid", normalised[..., grid, :][..., grid])


def compare_on_average(golden: Golden, name: str, ours: Tensor) -> None:
    """Compares the mean absolute difference of pixels, which counts in 255ths."""
    golden.compare_mean(name, ours, PIXEL_TOLERANCE)

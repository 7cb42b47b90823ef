"""Writes the table of the hosted methods in docs/methods.md: what they read, their parts, cost and audit.

    python -m benchmarks.method_table [--dry-run]

Cost is processor time of scoring 1,000 queries against 1,000 videos by one thread at D 512, F 12 and captions
of 32 positions, measured on 100 x 100 pairs; the index is made before. The audit is its quick form, under the
leak-free condition and, where the authors score otherwise, under theirs. About a minute on one core.
"""

import argparse
import time
from dataclasses import replace
from pathlib import Path

import torch
import yaml

from core.audit.noise_features import NoiseFeatures, Shape
from core.audit.quick import quick
from core.audit.subject import Subject
from core.axes import fields_in
from core.method import Dimensions, Method, Needs
from core.registry import registered_methods
from core.scoring.noise import scoring_noise
from core.scoring.scoring import build_index, score_matrix

DOCS = Path(__file__).parents[1] / "docs"
PAGE, SOURCE = DOCS / "methods.md", DOCS / "methods.yaml"
BEGIN, END = "<!-- table: python -m benchmarks.method_table -->", "<!-- end of the table -->"
MEASURED = Shape(512, 12, 4)
WORDS, PAIRS = 32, 100
"""Positions of a caption; texts, and videos, that are measured."""
HEADER = ("method", "reads", "parts", "s per 1,000 x 1,000", "released evaluation", "audit")
NAMES = {
    "sound": "sound",
    "speech": "speech",
    "patches": "patches",
    "words": "words",
    "video_captions": "captions of videos",
}


def reads(needs: Needs) -> str:
    """What a method reads beside frames and sentences."""
    return ", ".join(["frames", *(name for need, name in NAMES.items() if getattr(needs, need))])


def parts(method: type[Method]) -> str:
    """The kinds of its parts that are not `none`."""
    config = method.Config()
    kinds = [str(getattr(config, field.name)) for field in fields_in("", method.Config) if field.axis]
    return " · ".join(kind for kind in kinds if kind != "none") or "its own"


def fixed_cells(name: str, method: type[Method]) -> tuple[str, str, str, str]:
    """What of a row is not measured: method, reads, parts, released evaluation."""
    built = method(method.Config(), Dimensions(192, 12, 192, WORDS))
    released = yaml.safe_load(SOURCE.read_text(encoding="utf-8"))[name]
    return f"`{name}` {method.title}", reads(built.needs), parts(method), released


@torch.no_grad()
def seconds(method: type[Method]) -> str:
    """Processor time of 1,000 queries against 1,000 videos, and by which engine."""
    torch.manual_seed(0)
    built = method(method.Config(), Dimensions(MEASURED.width, MEASURED.frames, MEASURED.width, WORDS)).eval()
    world = NoiseFeatures.draw(PAIRS, PAIRS, seed=0, shape=MEASURED)
    words = torch.randn(PAIRS, WORDS, MEASURED.width)
    shown = torch.arange(WORDS) < 5 + torch.arange(PAIRS)[:, None] % 16
    texts = replace(world.texts, words=words, word_mask=shown)
    index = build_index(built, world.videos, check=False)
    noise = scoring_noise(built.config, 0, released=False)
    spent = []
    for _ in range(2):
        begun = time.process_time()
        score_matrix(built, texts, index, noise=noise)
        spent.append(time.process_time() - begun)
    engine = "modules" if index.obstacle else "exact"
    return f"{min(spent) * (1000 / PAIRS) ** 2:.2g} ({engine})"


def audited(method: type[Method]) -> str:
    """Whether the quick audit passes, under both conditions where they differ."""
    leak_free = quick(Subject(method, "leak-free"))
    words = "passes" if leak_free is None else f"FAILS: {leak_free.check}"
    built = method(method.Config(), Dimensions(192, 12, 192, WORDS))
    if built.released is None:
        return words
    released = quick(Subject(method, "released"))
    return f"{words}; released: {'passes' if released is None else f'fails ({released.check})'}"


def row(name: str, method: type[Method]) -> str:
    """A row of the table."""
    about, read, kinds, released = fixed_cells(name, method)
    cells = (about, read, kinds, seconds(method), released, audited(method))
    return "| " + " | ".join(cells) + " |"


def main() -> None:
    """Measures every method and writes the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--dry-run", action="store_true", help="Print the table and write nothing.")
    dry = parser.parse_args().dry_run
    torch.set_num_threads(1)
    lines = ["| " + " | ".join(HEADER) + " |", "|---|---|---|---:|---|---|"]
    for name, method in sorted(registered_methods().items()):
        lines.append(row(name, method))
        print(lines[-1], flush=True)
    if not dry:
        page = PAGE.read_text(encoding="utf-8")
        before, after = page.split(BEGIN)[0], page.split(END)[1]
        PAGE.write_text("\n".join([before + BEGIN, *lines, END]) + after, encoding="utf-8")


if __name__ == "__main__":
    main()

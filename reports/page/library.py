"""Which clips the page embeds: each once, from the stores in the cache, until the page is full."""

from core.errors import BenchError
from core.store.store import Store
from reports.collect import Run
from reports.page.clips import PageClip, clip_of
from reports.stores import store_of

BUDGET = 10 * 2**20
"""Bytes of all clips together; ranks, tables and text share the rest of 15 MB."""


class Library:
    """The embedded clips, made when they are first asked for."""

    def __init__(self, budget: int = BUDGET) -> None:
        self.clips: dict[str, PageClip] = {}
        self.notes: list[str] = []
        """Why pictures and sounds are missing, a line per store and one where the page is full."""
        self._budget = budget
        self._stores: dict[str, tuple[Store, dict[str, int]] | None] = {}

    @property
    def full(self) -> bool:
        """Whether no further clip is taken."""
        return sum(clip.size for clip in self.clips.values()) >= self._budget

    def key(self, run: Run, video: str) -> str | None:
        """The name of a run's clip in `clips`; None where its store is gone or the page is full."""
        name = run.manifest.store
        opened = self._open(run)
        if opened is None or video not in opened[1]:
            return None
        key = f"{name}/{video}"
        if key not in self.clips:
            if self.full:
                return None
            store, row_of = opened
            self.clips[key] = clip_of(store, row_of[video])
        return key

    def _open(self, run: Run) -> tuple[Store, dict[str, int]] | None:
        name = run.manifest.store
        if name not in self._stores:
            try:
                store = store_of(run)
                self._stores[name] = store, {video: row for row, video in enumerate(store.ids)}
            except BenchError as error:
                self._stores[name] = None
                self.notes.append(f"pictures and sounds of {name}: {error}")
        return self._stores[name]

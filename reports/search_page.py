"""The hits of a search as one page that needs no network: a player per video, at its moment."""

import html
from collections.abc import Mapping, Sequence
from pathlib import Path

from core.paths import written_whole
from core.search.opened import Hit

STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 72rem; padding: 0 1rem; }
ol { display: grid; gap: 1.2rem; grid-template-columns: repeat(auto-fill, minmax(19rem, 1fr)); padding: 0; }
li { list-style: none; }
video { width: 100%; aspect-ratio: 16 / 9; background: #111; }
small { color: #666; overflow-wrap: anywhere; }
.gate { display: flex; align-items: flex-end; gap: 2px; height: 24px; }
.gate i { flex: 1; background: #2b7; min-height: 1px; }
"""


def write_search_page(file: Path, found: Mapping[str, Sequence[Hit]], kept: str) -> None:
    """Writes the page; raises `BenchError` where the disk is full."""
    with written_whole(file) as temporary:
        temporary.write_text(search_page(found, kept), encoding="utf-8")


def search_page(found: Mapping[str, Sequence[Hit]], kept: str) -> str:
    """The page on the hits of some queries; videos are read from where they are."""
    sections = "".join(
        f"<h2>{html.escape(query)}</h2><ol>{''.join(map(card_of, hits))}</ol>"
        for query, hits in found.items()
    )
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Search</title>'
        f"<style>{STYLE}</style></head><body>{sections}<p><small>{html.escape(kept)}</small></p></body></html>"
    )


def card_of(hit: Hit) -> str:
    """A player with what is known of the hit."""
    moment = "" if hit.moment is None else f"#t={hit.moment:.2f}"
    source = html.escape(Path(hit.path).absolute().as_uri() + moment, quote=True)
    when = "" if hit.moment is None else f" · most at {hit.moment:.1f} s"
    changed = " · changed since it was indexed" if hit.changed else ""
    return (
        f'<li><video src="{source}" controls preload="metadata"></video>{gate_bars(hit)}'
        f"<b>{hit.rank}</b> · {hit.score:+.4f}{when}{changed}<br><small>{html.escape(hit.path)}</small></li>"
    )


def gate_bars(hit: Hit) -> str:
    """The weight of the sound over time as bars; nothing where no text decides it."""
    if hit.gate is None:
        return ""
    bars = "".join(f'<i style="height:{100 * value:.0f}%"></i>' for value in hit.gate)
    return f'<div class="gate" title="weight of the sound over time">{bars}</div>'

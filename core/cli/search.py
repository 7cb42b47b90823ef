"""`bench search`: an index, asked with words or with a clip."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from core.cli import shell
from core.cli.shell import AsJson, Offline, Traceback, forbid_downloads, one_line_errors
from core.errors import BenchError

BAR = "▁▂▃▄▅▆▇█"
"""The gate of a frame, 0 to 1."""


@one_line_errors
def search_(
    index: Annotated[Path, typer.Argument(help="Folder that `bench index` has made.")],
    words: Annotated[list[str] | None, typer.Argument(help="What to look for; each is a query.")] = None,
    k: Annotated[int, typer.Option("-k", min=1, max=1000, help="Number of videos per query.")] = 10,
    like: Annotated[Path | None, typer.Option(help="A clip in the place of words.")] = None,
    queries: Annotated[Path | None, typer.Option(help="File of queries, one a line.", metavar="FILE")] = None,
    candidates: Annotated[
        int | None,
        typer.Option(min=1, help="Number of videos scored exactly; the index's own unless given."),
    ] = None,
    run: Annotated[Path | None, typer.Option(help="Run of the index, if its folder has moved.")] = None,
    html: Annotated[
        Path | None, typer.Option(help="Write the hits here as one page with players.", metavar="FILE")
    ] = None,
    open_: Annotated[bool, typer.Option("--open", help="Open the page, or the best hit.")] = False,
    offline: Offline = False,
    json: AsJson = False,
    traceback: Traceback = False,
) -> None:
    """Search an index: rank, score, the moment that counts most, the weight of the sound over time, path.

    Example: bench search holiday.index "a dog barks behind a fence" -k 5

    Example: bench search holiday.index --like clip.mp4 --html hits.html --open
    """
    forbid_downloads(offline)
    asked = asked_queries(words or (), queries, like)
    if html is not None and not html.resolve().parent.is_dir():
        raise BenchError(f"{html}: its folder does not exist; name a file in one that does, e.g. hits.html")
    from core.search.opened import open_index

    opened = open_index(index, run)
    count = max(k, candidates or opened.candidates)
    found = opened.search(asked, k, count) if like is None else [opened.search_like(like, k, count)]
    kept = share_in_words(opened, count)
    titles = asked or [f"like {like}"]
    if html is not None:
        from reports.search_page import write_search_page

        write_search_page(html, dict(zip(titles, found, strict=True)), kept)
    if json:
        records = [{"query": title, "hits": hits} for title, hits in zip(titles, found, strict=True)]
        shell.answer({"candidates": count, "kept": opened.kept(count), "queries": records})
    else:
        show_hits(titles, found, kept)
        shell.written([html] if html else [])
    if open_:
        first = html or next((Path(hits[0].path) for hits in found if hits), None)
        if first is not None:
            typer.launch(str(first))


def asked_queries(words: Sequence[str], file: Path | None, like: Path | None) -> list[str]:
    """What is asked; raises `BenchError` for nothing, for a mixture, and for an empty query."""
    if sum((bool(words), file is not None, like is not None)) != 1:
        raise BenchError('give words, --queries FILE or --like CLIP, and one of them: "a dog barks"')
    if file is not None:
        try:
            words = [line.strip() for line in file.read_text(encoding="utf-8-sig").splitlines()]
        except (OSError, UnicodeDecodeError) as error:
            raise BenchError(f"{file}: cannot be read as text ({error}); give a query a line") from error
        words = [line for line in words if line]
        if not words:
            raise BenchError(f"{file} holds no query; write one a line")
    if any(not query.strip() for query in words):
        raise BenchError("a query is empty; give a few words, e.g. 'a dog barks'")
    return list(words)


def share_in_words(opened: Any, count: int) -> str:
    """How much of the exact top 10 so many candidates keep."""
    scored, share = min(count, len(opened)), opened.kept(count)
    if scored == len(opened):
        return f"all {scored:,} videos are scored exactly"
    known = "nobody has measured what they keep"
    if share is not None:
        known = f"so many keep {100 * share:.1f} % of the exact top 10 ({opened.manifest.sampled} queries)"
    return f"{scored:,} of {len(opened):,} videos are scored exactly; {known}"


def show_hits(titles: Sequence[str], found: Sequence[Sequence[Any]], kept: str) -> None:
    """Prints the hits of each query, a line each."""
    for title, hits in zip(titles, found, strict=True):
        shell.console.print(title, markup=False, highlight=False, style="bold")
        for hit in hits:
            figures = f"{hit.rank:>4}  {hit.score:+.4f}  {minutes_of(hit.moment):>7}"
            line = f"{figures}  {bar_of(hit.gate)}{hit.path}"
            shell.console.print(line, markup=False, highlight=False, soft_wrap=True)
    shell.console.print(kept, markup=False, highlight=False, style="dim")
    changed = [hit.path for hits in found for hit in hits if hit.changed]
    if changed:
        shell.console.print(
            f"{len(changed)} of these files are gone or were changed since they were indexed; first: "
            f"{changed[0]}; run bench index again",
            markup=False,
            highlight=False,
            style="yellow",
        )


def minutes_of(seconds: float | None) -> str:
    """A moment for people.

    >>> minutes_of(75.25), minutes_of(None)
    ('1:15.2', '')
    """
    return "" if seconds is None else f"{int(seconds // 60)}:{seconds % 60:04.1f}"


def bar_of(gate: Sequence[float] | None) -> str:
    """The weight of the sound over time as a small bar; nothing where there is none.

    >>> bar_of((0.0, 0.5, 1.0)), bar_of(None)
    ('▁▅█  ', '')
    """
    if gate is None:
        return ""
    return "".join(BAR[min(len(BAR) - 1, int(value * len(BAR)))] for value in gate) + "  "

"""Chained Ogg files: several files, the links, one after the other, each with headers of its own (RFC 3533).

FFmpeg gives up where a link has another rate or other channels than the one before, so each is opened alone.
"""

import io
from dataclasses import dataclass
from pathlib import Path

MARK = b"OggS"
FIRST = 0x02
"""Flag of a logical stream's first page; those of a link come before all its other pages."""
OGG_HEADER = 27
"""Bytes of a page before its table of segments."""


@dataclass(frozen=True)
class Link:
    """Where a link lies in its file."""

    path: Path
    """The file."""
    first: int
    """Its first byte."""
    end: int
    """Behind its last byte."""

    def open(self) -> "LinkFile":
        """The link as a file of its own."""
        return LinkFile(self)


class LinkFile(io.RawIOBase):
    """The bytes of one link."""

    def __init__(self, link: Link) -> None:
        self.name = str(link.path)
        self._link = link
        self._file = link.path.open("rb")
        self._file.seek(link.first)

    def readable(self) -> bool:
        """True."""
        return True

    def seekable(self) -> bool:
        """True."""
        return True

    def read(self, size: int = -1) -> bytes:
        """So many bytes, or fewer at the link's end."""
        left = self._link.end - self._file.tell()
        return self._file.read(left if size < 0 else max(0, min(size, left)))

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Goes to a byte of the link."""
        base = {io.SEEK_SET: self._link.first, io.SEEK_CUR: self._file.tell(), io.SEEK_END: self._link.end}
        self._file.seek(max(self._link.first, base[whence] + offset))
        return self.tell()

    def tell(self) -> int:
        """The byte of the link that is read next."""
        return self._file.tell() - self._link.first

    def close(self) -> None:
        """Closes the file."""
        self._file.close()
        super().close()


def links_of(path: Path) -> list[Link]:
    """The links of a chained Ogg file; none where it is no Ogg file or has a single link.

    Reading stops at the first byte that begins no page: the rest belongs to the link before.
    """
    starts, heads = [], False
    size = path.stat().st_size
    with path.open("rb") as file:
        position = 0
        while position < size:
            file.seek(position)
            page = file.read(OGG_HEADER)
            if len(page) < OGG_HEADER or not page.startswith(MARK):
                break
            begins = bool(page[5] & FIRST)
            if begins and not heads:
                starts.append(position)
            heads = begins
            position += OGG_HEADER + page[26] + sum(file.read(page[26]))
    if len(starts) < 2:
        return []
    return [Link(path, first, end) for first, end in zip(starts, [*starts[1:], size], strict=True)]

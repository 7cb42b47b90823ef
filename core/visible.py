"""Text of strangers as a screen may show it: nothing in it moves a cursor or changes a colour.

Ids, captions, paths, keys and values come from files. A terminal obeys control characters in them, and
bidirectional marks show a line in another order than it has.
"""

import re

HIDDEN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f"  # C0 without tab and line feed, DEL, C1
    "\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069"  # marks of direction
    "\u2028\u2029\ufff9-\ufffb\ud800-\udfff]"  # separators, annotations, halves of characters
)
"""What a terminal would obey instead of showing it, or cannot be encoded."""
LIMIT = 300
"""Characters beyond which a line is cut."""
HEAD, TAIL = 200, 60
"""What is shown of the two ends of such a line; the remedy is at its end."""


def visible(text: str) -> str:
    r"""The text with what a terminal would obey escaped; tabs and line ends stay.

    >>> visible("\x1b[31mred\x9b0m \u202eabc"), visible("a\tb")
    ('\\x1b[31mred\\x9b0m \\u202eabc', 'a\tb')
    """
    return HIDDEN.sub(lambda found: found[0].encode("unicode_escape").decode(), text)


def visible_lines(text: str) -> str:
    """The text as `visible` gives it, with lines that are too long cut."""
    return "\n".join(map(shortened, visible(text).split("\n"))) if len(text) > LIMIT else visible(text)


def visible_line(text: str) -> str:
    r"""The text as one line, cut where it is too long.

    >>> visible_line("two\nlines")
    'two\\nlines'
    """
    return shortened(visible(text).replace("\n", "\\n"))


def visible_json(text: str) -> str:
    r"""JSON that means the same, with everything escaped that a terminal would obey.

    >>> visible_json('["\x9b31m"]')
    '["\\u009b31m"]'
    """
    return HIDDEN.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def shortened(line: str) -> str:
    """Both ends of a line that is too long, and how long it is.

    >>> shortened("x" * 1_000)[-70:]
    'xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx (1,000 characters)'
    """
    if len(line) <= LIMIT:
        return line
    return f"{line[:HEAD]} … {line[-TAIL:]} ({len(line):,} characters)"

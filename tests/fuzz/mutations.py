"""Seeded damage: bytes that are changed, cut or repeated, and values that stand where others should."""

import random
from collections.abc import Sequence

CONTROL = "\x1b[31m\x9b2J\u202e\x00\x7f"
VALUES = (
    *(
        "null",
        "true",
        "-1",
        "0",
        "1e999",
        "NaN",
        "Infinity",
        "-Infinity",
        "9" * 30,
        "9" * 5_000,
        "0x_",
        "1e-400",
    ),
    *(
        "''",
        '""',
        "[]",
        "{}",
        "[" * 200,
        "{a: " * 200,
        "[[1, 2], {a: b}]",
        "2024-13-45",
        "2024-01-05",
        "!!int x",
    ),
    *(
        "!!map [1, 2]",
        "!!python/object/apply:os.mkdir [pwned]",
        "&a [*a]",
        "*a",
        "? [a]\n: b",
        "a: b: c",
        "~",
    ),
    *(
        "../../etc/passwd",
        "/dev/zero",
        "~nobody/x",
        "x" * 300,
        "x" * 5_000,
        "\ud7ff\uffff",
        CONTROL,
        "%s%n{0}",
    ),
    *("nan", "none", "http://127.0.0.1:9/x", "gaid", "avworld", "[red]x[/]", "=1+1", "\t", "\r\n", "\ufeff"),
)
"""What stands where another value should; for JSON, YAML, TOML, CSV and `--set` alike."""


def damaged(content: bytes, chance: random.Random) -> bytes:
    """Bytes with some of them changed, cut off, left out, repeated or replaced by a hostile value."""
    data = bytearray(content)
    for _ in range(chance.choice((1, 1, 1, 2, 4, 16))):
        place = chance.randrange(len(data) + 1)
        kind = chance.randrange(6)
        if kind == 0:
            data[place : place + 1] = bytes([chance.randrange(256)])
        elif kind == 1:
            data[place : place + 1] = bytes(
                [(data[place] ^ (1 << chance.randrange(8))) if place < len(data) else 0]
            )
        elif kind == 2:
            del data[place : place + chance.choice((1, 8, 100, 10_000))]
        elif kind == 3:
            data[place:place] = data[place : place + chance.choice((1, 8, 100))]
        elif kind == 4:
            data[place:place] = chance.choice(VALUES).encode("utf-8", "surrogatepass")
        else:
            data[place : place + 8] = chance.choice((b"\xff" * 8, bytes(8), b"\x7f" + b"\xff" * 7))
    return bytes(data)


def replaced(text: str, chance: random.Random) -> str:
    """A text with one or two of its words replaced by a hostile value, or lines swapped or repeated."""
    words = text.split(" ")
    lines = text.split("\n")
    if chance.random() < 0.2 and len(lines) > 1:
        first, second = chance.randrange(len(lines)), chance.randrange(len(lines))
        lines[first] = lines[second]
        return "\n".join(lines)
    for _ in range(chance.choice((1, 1, 2))):
        words[chance.randrange(len(words))] = chance.choice(VALUES)
    return " ".join(words)


def assignment(keys: Sequence[str], chance: random.Random) -> str:
    """A `--set` option with a key that exists, mostly, and a value that need not fit."""
    key = chance.choice(keys) if chance.random() < 0.9 else chance.choice(VALUES)
    value = chance.choice(VALUES) if chance.random() < 0.7 else damaged(b"0.25,[1]", chance).decode("latin-1")
    return f"{key}={value}" if chance.random() < 0.95 else f"{key}{value}"

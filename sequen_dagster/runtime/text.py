"""Numbers in sentences, and untrusted names: of files, of event types."""

import re
from collections.abc import Sequence
from typing import Final

# How many files, reasons or rows a finding names; all are counted.
SHOWN: Final = 20
_MOST_CHARACTERS: Final = 200
_STEP: Final = 1_000
_SIZE_UNITS: Final = ("kB", "MB", "GB", "TB")


def counted(number: int, noun: str) -> str:
    """A number with its noun, in the plural where it is not one.

    Example:
        >>> counted(1, "file"), counted(2000, "file"), counted(2, "touch")
        ('1 file', '2,000 files', '2 touches')
    """
    ending = "" if number == 1 else "es" if noun.endswith("ch") else "s"
    return f"{number:,} {noun}{ending}"


def sized(size_bytes: int) -> str:
    """A size in the unit that leaves it between 1 and 1,000.

    Example:
        >>> sized(0), sized(1), sized(1_500), sized(2_000_000), sized(3_250_000_000_000)
        ('0 bytes', '1 byte', '1.5 kB', '2.0 MB', '3.2 TB')
    """
    if size_bytes < _STEP:
        return counted(size_bytes, "byte")
    power = 1
    # Rounded, or 999,999 bytes would be 1,000.0 kB.
    while power < len(_SIZE_UNITS) and round(size_bytes / _STEP**power, 1) >= _STEP:
        power += 1
    return f"{size_bytes / _STEP**power:,.1f} {_SIZE_UNITS[power - 1]}"


def bulleted(lines: Sequence[str], *, most: int = SHOWN, total: int | None = None) -> str:
    """Lines as a list, of which the first 20 are shown, and how many more there are.

    Args:
        lines: what to list.
        most: how many are shown.
        total: how many there are, where `lines` are the first of them.

    Example:
        >>> print(bulleted(["a", "b", "c"], most=2))
        - a
        - b
        - and 1 more
    """
    shown = [f"- {line}" for line in lines[:most]]
    more = (len(lines) if total is None else total) - len(shown)
    return "\n".join([*shown, *([f"- and {more:,} more"] if more > 0 else [])])


def quoted(name: str) -> str:
    r"""A name that another person chose, in quotes, for a log line or a message.

    A file name may hold a newline that begins a forged log line, or characters that a terminal
    obeys; here they are spelled out. Cut to 200 characters.

    Example:
        >>> print(quoted("a\n\x1b[31m.jsonl"))
        'a\n\x1b[31m.jsonl'
    """
    return repr(_shorten(name))


def as_code(name: str) -> str:
    """A name that another person chose, for Markdown, in which it is neither a link nor a picture.

    Example:
        >>> as_code("a.jsonl"), as_code("![a](b)"), as_code("a`b")
        ('`a.jsonl`', '`![a](b)`', '`` a`b ``')
    """
    text = printable(name)
    longest = max(map(len, re.findall("`+", text)), default=0)
    fence, space = "`" * (longest + 1), " " if longest else ""
    return f"{fence}{space}{text}{space}{fence}"


def printable(text: str) -> str:
    r"""A line that holds untrusted names, with nothing in it that a terminal obeys.

    Example:
        >>> print(printable("1/2 a\n\x1b[31m.jsonl"))
        1/2 a\n\x1b[31m.jsonl
    """
    return "".join(
        character if character.isprintable() else character.encode("unicode_escape").decode()
        for character in _shorten(text)
    )


def _shorten(text: str) -> str:
    return text if len(text) <= _MOST_CHARACTERS else f"{text[: _MOST_CHARACTERS - 1]}…"

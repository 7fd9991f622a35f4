"""Exports: the fast path through JSON text of which every line is plainly one record.

It takes only lines that the slow path would take in the same form, and proves it at the speed of C.
"""

import re
from typing import Final

import msgspec

from sequen_dagster.exports.envelopes import EnvelopeRules

_AT_BYTE: Final = re.compile(r"\(byte ([0-9]+)\)")
_NOT_AN_OBJECT: Final = re.compile(rb"\n(?!\{)")

_decode_array = msgspec.json.Decoder(list[msgspec.Raw]).decode


def take_plain_lines(text: bytes, rules: EnvelopeRules, limit: int) -> tuple[list[bytes], int]:
    r"""Take lines from the beginning of a text while each is one JSON object and not an envelope.

    Args:
        text: whole lines, without the newline of the last.
        rules: which objects are envelopes.
        limit: longest record.

    Returns:
        The lines, and how far they reach in the text.

    Example:
        >>> take_plain_lines(b'{"a":1}\n{"b":2}\n{"c":', EnvelopeRules(), 99)
        ([b'{"a":1}', b'{"b":2}'], 15)
    """
    plain = text
    if b"\r" in plain:
        plain = plain.replace(b"\r\n", b"\n").removesuffix(b"\r")
        if (alone := plain.find(b"\r")) >= 0:
            # It ends a line as well, even between the members of an object.
            plain = _lines_before(plain, alone)
    is_again = False
    # Split once: the same lines are examined and handed on.
    lines = plain.split(b"\n")
    while plain and (end := _find_not_plain(plain, lines, rules, limit)) is not None:
        # A missing end shows further on only, at worst after the last line.
        plain = _lines_before(plain, min(end, len(plain) // 2) if is_again else end)
        lines = plain.split(b"\n")
        is_again = True
    if not plain:
        return [], 0
    if len(plain) == len(text) or b"\r" not in text:
        return lines, len(plain)
    rest = text.split(b"\n", len(lines))[len(lines) :]
    return lines, len(text) - sum(len(part) + 1 for part in rest)


def _lines_before(text: bytes, position: int) -> bytes:
    return text[: max(text.rfind(b"\n", 0, position), 0)]


def _find_not_plain(
    text: bytes, lines: list[bytes], rules: EnvelopeRules, limit: int
) -> int | None:
    """Find a position in or after the first line that is not plain; None where all are plain."""
    if not text.startswith(b"{"):
        return 0
    if text.count(b"\n{") != len(lines) - 1 and (other := _NOT_AN_OBJECT.search(text)):
        return other.end()
    lengths = list(map(len, lines))
    if len(text) > limit and max(lengths) > limit:
        return _differing_start(lengths, [min(length, limit) for length in lengths])
    if (find_events := rules.find_events(text)) is not None:
        return find_events
    try:
        if not text.isascii():
            text.decode()
        values = _decode_array(b"[" + text.replace(b"\n", b",") + b"]")
    except UnicodeDecodeError as error:
        return error.start
    except msgspec.MsgspecError as error:
        at = _AT_BYTE.search(str(error))
        return int(at[1]) - 1 if at else len(text)
    except RecursionError:
        return len(text) // 2
    # As many values as lines, each as long as its line: so each line is one value, no more.
    found = list(map(len, values))
    return None if lengths == found else _differing_start(lengths, found)


def _differing_start(lengths: list[int], found: list[int]) -> int:
    """Position of the first line whose length differs from the length that was found."""
    position = 0
    for length, other in zip(lengths, found, strict=False):
        if length != other:
            break
        position += length + 1
    return position

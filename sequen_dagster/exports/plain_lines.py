"""Exports: the fast path through JSON text of which every line is plainly one record.

It takes only lines that the slow path would take in the same form, and proves it at the speed of C.
"""

from collections import deque
from operator import itemgetter
from typing import Final

import msgspec

from sequen_dagster.exports.envelopes import EnvelopeRules

_get_first: Final = itemgetter(0)
_get_last: Final = itemgetter(-1)
_BRACES: Final = {ord("{")}, {ord("}")}


class JsonObject(msgspec.Struct):
    """Any JSON object: its members are passed over, and proven to be JSON but for their UTF-8."""


prove_object: Final = msgspec.json.Decoder(JsonObject).decode


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
    lines = text.split(b"\n")
    count = len(lines)
    if (events := rules.find_events(text)) is not None:
        del lines[text.count(b"\n", 0, events) :]
    if b"\r" in text:
        # One that is left ends a line as well, even between the members of an object.
        lines = [line.removesuffix(b"\r") for line in lines]
    if not _are_plain(lines, limit):
        plain = next(at for at, line in enumerate(lines) if not _are_plain([line], limit))
        del lines[plain:]
    if len(lines) == count:
        return lines, len(text)
    rest = text.split(b"\n", len(lines))[len(lines) :]
    return lines, len(text) - sum(len(part) + 1 for part in rest) if lines else 0


def _are_plain(lines: list[bytes], limit: int) -> bool:
    """Whether each line is a JSON object, no longer than a record may be, and nothing else."""
    try:
        if (set(map(_get_first, lines)), set(map(_get_last, lines))) != _BRACES:
            return not lines
        deque(map(prove_object, lines), maxlen=0)
        text = b"".join(lines)
        text.isascii() or text.decode()
    except (IndexError, msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return False
    return b"\r" not in text and (len(text) <= limit or max(map(len, lines)) <= limit)

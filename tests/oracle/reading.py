"""Section 2, JSON Lines only: the bytes of a file to its records.

In: bytes. Out: one `Record` per event or unreadable line, blank lines counted apart.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import ROUND_FLOOR, ROUND_HALF_UP, Context, Decimal, InvalidOperation
from typing import Any, NoReturn

MAX_LINE_BYTES = 16 * 1024 * 1024
MAX_DEPTH = 64
JSON_WHITE_SPACE = b" \t\r\n"
BYTE_ORDER_MARK = b"\xef\xbb\xbf"

# A string runs to its closing quote or, in a broken text, to the end.
STRING = r'"[^"\\]*(?:\\.?[^"\\]*)*(?:"|\Z)'
STRING_OR_BRACKET = re.compile(STRING + r"|[\[\]{}]", re.DOTALL)
STRING_OR_SPACE = re.compile(rf"({STRING})|[ \t\r\n]+", re.DOTALL)


@dataclass(frozen=True)
class Number:
    """A JSON number as it was written; never equal to the string of the same digits."""

    text: str


@dataclass(frozen=True)
class Record:
    """One record of a file: its place, its text without white space, and what it says."""

    line: int
    item: int
    text: str = ""
    value: Any = None  # any JSON value
    has_duplicate_key: bool = False
    problem: str | None = None


@dataclass
class Reading:
    """What a file holds: records, blank lines, warnings that belong to an envelope."""

    records: list[Record] = field(default_factory=list)
    blank_lines: int = 0
    envelope_warnings: list[str] = field(default_factory=list)


def read(data: bytes) -> Reading:
    """Read a file line by line, as JSON Lines whatever its first line looks like."""
    reading = Reading()
    lines = data.removeprefix(BYTE_ORDER_MARK).split(b"\n")
    # After the last newline nothing is left: that is no line. Anything else there is a tail.
    tail = lines.pop()
    for number, line in enumerate(lines, start=1):
        read_line(line, number, reading, is_tail=False)
    if tail:
        read_line(tail, len(lines) + 1, reading, is_tail=True)
    return reading


def is_json_lines(data: bytes) -> bool:
    """Tell whether section 2 takes the file for JSON Lines.

    A file whose first line starts with a bracket and is not a whole JSON value is one JSON
    document there, which this reading does not do: keep such files out of comparisons.
    """
    for line in data.removeprefix(BYTE_ORDER_MARK).split(b"\n"):
        first = line.strip(JSON_WHITE_SPACE)
        if first:
            looks_like_document = first[:1] in (b"[", b"{")
            broken = problem_of(first, is_tail=False) in ("malformed_json", "bad_encoding")
            return not (looks_like_document and broken)
    return True


def read_line(line: bytes, number: int, reading: Reading, *, is_tail: bool) -> None:
    """Add the records of one physical line to the reading."""
    if not line.strip(JSON_WHITE_SPACE):
        reading.blank_lines += 1
        return
    problem = problem_of(line, is_tail=is_tail)
    if problem is not None:
        reading.records.append(Record(number, 1, problem=problem))
        return
    text = compact(line.decode("utf-8"))
    value, _ = parse(text)
    if isinstance(value, list):
        items = list(elements(text))
    elif isinstance(value, dict) and isinstance(value.get("events"), list) and "type" not in value:
        pairs = list(members(text))
        items = list(elements(dict(pairs)["events"]))
        if items:
            reading.envelope_warnings += warnings_of_envelope([key for key, _ in pairs])
    else:
        items = [text]
    if not items:
        reading.blank_lines += 1
    for item, item_text in enumerate(items, start=1):
        reading.records.append(record_of(item_text, number, item))


def record_of(text: str, line: int, item: int) -> Record:
    """Parse the compact text of one record."""
    value, has_duplicate_key = parse(text)
    if not isinstance(value, dict):
        return Record(line, item, text, problem="not_an_object")
    return Record(line, item, text, value, has_duplicate_key)


def warnings_of_envelope(keys: list[str]) -> list[str]:
    """Return the warnings about the envelope itself, each at most once."""
    warnings = []
    if set(keys) != {"events"}:
        warnings.append("envelope_fields")
    if len(set(keys)) != len(keys):
        warnings.append("duplicate_key")
    return warnings


def problem_of(line: bytes, *, is_tail: bool) -> str | None:
    """Return the rule by which a line cannot be read, None where it can."""
    if len(line) > MAX_LINE_BYTES:
        return "too_large"
    try:
        text = line.decode("utf-8")
    except UnicodeDecodeError:
        return "truncated_tail" if is_tail else "bad_encoding"
    if depth(text) > MAX_DEPTH:
        return "too_deep"
    try:
        parse(text)
    except ValueError:
        return "truncated_tail" if is_tail else "malformed_json"
    return None


def depth(text: str) -> int:
    """Return how deep arrays and objects are nested, brackets within strings left out."""
    deepest = level = 0
    for match in STRING_OR_BRACKET.finditer(text):
        if match[0] in ("[", "{"):
            level += 1
            deepest = max(deepest, level)
        elif match[0] in ("]", "}"):
            level -= 1
    return deepest


def parse(text: str) -> tuple[Any, bool]:
    """Parse strict JSON; the flag says whether an object at any depth repeats a key.

    Raises:
        ValueError: The text is not JSON by RFC 8259.
    """
    has_duplicate_key = False

    def last_counts(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        nonlocal has_duplicate_key
        merged = dict(pairs)
        has_duplicate_key = has_duplicate_key or len(merged) < len(pairs)
        return merged

    value = json.loads(
        text,
        object_pairs_hook=last_counts,
        parse_float=Number,
        parse_int=Number,
        parse_constant=refuse,
    )
    return value, has_duplicate_key


def refuse(token: str) -> NoReturn:
    """Refuse NaN and the infinities, which the json module would take."""
    message = f"{token} is not JSON"
    raise ValueError(message)


# parse_int keeps the decoder away from int(), which refuses numbers of more than 4,300 digits.
SLICER = json.JSONDecoder(parse_float=Number, parse_int=Number)


def compact(text: str) -> str:
    """Remove insignificant white space; every token keeps its spelling."""
    return STRING_OR_SPACE.sub(r"\1", text)


def elements(text: str) -> Iterator[str]:
    """Yield the text of each element of a compact array."""
    position = 1
    while text[position] != "]":
        _, end = SLICER.raw_decode(text, position)
        yield text[position:end]
        position = end + (text[end] == ",")


def members(text: str) -> Iterator[tuple[str, str]]:
    """Yield key and text of each member of a compact object, repeated keys included."""
    position = 1
    while text[position] != "}":
        key, colon = SLICER.raw_decode(text, position)
        _, end = SLICER.raw_decode(text, colon + 1)
        yield key, text[colon + 1 : end]
        position = end + (text[end] == ",")


def exact(text: str) -> Decimal:
    """Return the exact value of a JSON number or numeric text."""
    try:
        return Decimal(text)
    except InvalidOperation:
        # The exponent is beyond what Decimal holds: next to nothing, or more than anything.
        mantissa, _, exponent = text.lower().partition("e")
        if Decimal(mantissa) == 0:
            return Decimal(0)
        limit = Decimal("1E-999999" if exponent.startswith("-") else "Infinity")
        return limit.copy_sign(Decimal(mantissa))


def whole_units(value: Decimal, places: int, *, cut: bool) -> int:
    """Return a finite value below 1e30 in units of 10**-places, cut or rounded half up."""
    if value.adjusted() < -100:
        return 0
    wide = Context(prec=len(value.as_tuple().digits) + 150)
    rounding = ROUND_FLOOR if cut else ROUND_HALF_UP
    return int(value.scaleb(places, wide).to_integral_value(rounding))

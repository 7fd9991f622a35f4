"""Section 2: the bytes of a file to its records, and JSON values kept exact.

In: bytes and the path. Out: one `Record` per event or unreadable piece, blank lines counted apart.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import ROUND_FLOOR, ROUND_HALF_UP, Context, Decimal, InvalidOperation
from typing import Any, NoReturn
from urllib.parse import unquote

from support.oracle.delimited import Delimited
from support.oracle.json_text import Array, Found, Reader, Walk
from support.oracle.words import ALIASES, FIELDS, INHERITED, is_absent_in, is_blank

EVENTS_KEYS = ("events", "batch", "data", "payload", "records")
# What an envelope may say of its own: with any other field of an event it is one.
OF_ENVELOPES = ("id", *INHERITED)
NO_FOLDER_FIELDS = ("id", "item_ids")
HIVE_NULL = "__HIVE_DEFAULT_PARTITION__"

# A string runs to its closing quote or, in a broken text, to the end.
STRING = r'"[^"\\]*(?:\\.?[^"\\]*)*(?:"|\Z)'
STRING_OR_SPACE = re.compile(rf"({STRING})|[ \t\r\n]+", re.DOTALL)


@dataclass(frozen=True)
class Number:
    """A JSON number as it was written; never equal to the string of the same digits."""

    text: str


@dataclass(frozen=True)
class Record:
    """One record of a file: its place, its text without white space, and what it says.

    `envelopes`, nearest first, and `folder` are what it may take fields from. An unquoted cell or
    a folder says text only, and is never `coerced`.
    """

    line: int
    item: int
    text: str = ""
    value: Any = None  # any JSON value
    has_duplicate_key: bool = False
    problem: str | None = None
    envelopes: tuple[dict[str, str], ...] = ()
    folder: tuple[tuple[str, str], ...] = ()
    is_text_only: bool = False


@dataclass
class Reading:
    """What a file holds: records, blank lines, warnings that belong to an envelope."""

    records: list[Record] = field(default_factory=list)
    blank_lines: int = 0
    envelope_warnings: list[str] = field(default_factory=list)


def read(path: str, data: bytes, folder: tuple[tuple[str, str], ...] = ()) -> Reading:
    """Read a file by its kind."""
    text = data.decode("utf-8", "surrogateescape")
    kind = path.lower().rpartition(".")[2]
    if kind not in ("csv", "tsv") or text.lstrip("\ufeff \t\r\n")[:1] in ("{", "["):
        return read_json(text, folder)
    table = Delimited(text, is_tsv=kind == "tsv").read()
    reading = Reading(blank_lines=table.blank_lines)
    for row in table.rows:
        if row.problem is not None:
            reading.records.append(Record(row.line, 1, problem=row.problem))
            continue
        row_text = json.dumps(row.cells, ensure_ascii=False, separators=(",", ":"))
        reading.records.append(
            Record(row.line, 1, row_text, row.cells, folder=folder, is_text_only=True)
        )
    return reading


def read_json(
    text: str,
    folder: tuple[tuple[str, str], ...] = (),
    events_keys: tuple[str, ...] = EVENTS_KEYS,
) -> Reading:
    """Read the JSON text of a file."""

    def choose(walk: Walk) -> Array | None:
        return array_of_envelope(walk, dict(folder), events_keys)

    sequence = Reader(text, choose, events_keys).read()
    reading = Reading(blank_lines=sequence.blank_lines)
    for keys, array_key in sequence.envelopes:
        reading.envelope_warnings += warnings_of_envelope(keys, array_key)
    items: dict[int, int] = {}
    for found in sequence.found:
        items[found.line] = items.get(found.line, 0) + 1
        reading.records.append(record_of(found, items[found.line], folder))
    return reading


def array_of_envelope(
    walk: Walk, folder: Mapping[str, str], events_keys: tuple[str, ...]
) -> Array | None:
    """Return the array of an object that is an envelope, None where it is an event."""
    values = {key: parse(text)[0] for key, text in walk.members if key not in walk.arrays}
    if not is_blank(values.get("type")) or "type" in folder:
        return None
    arrays = [walk.arrays[key] for key in events_keys if key in walk.arrays]
    # An empty one makes an envelope of an object that is whole.
    kinds = ("object", "nothing") if walk.end is not None else ("object",)
    arrays = [array for holds in kinds for array in arrays if array.holds == holds]
    if not arrays:
        return None
    array = arrays[0]
    says = [name for name in FIELDS if not is_absent_in(name, values.get(name))]
    if any(name not in OF_ENVELOPES for name in says) and not has_type(array.first_object):
        return None
    return array


def has_type(text: str) -> bool:
    """Return whether the text of an object has a type."""
    try:
        value, _ = parse(text)
    except ValueError:
        # No JSON, but it says a type.
        return re.search(r'"type"\s*:\s*(?!null|"\s*"|\[\s*\])\S', text) is not None
    return not is_blank(value.get("type"))


def record_of(found: Found, item: int, folder: tuple[tuple[str, str], ...]) -> Record:
    """Parse the text of one record."""
    if found.problem not in (None, "not_an_object"):
        return Record(found.line, item, problem=found.problem)
    text = compact(found.text)
    if found.problem is not None:
        return Record(found.line, item, text, problem=found.problem)
    value, has_duplicate_key = parse(text)
    envelopes = tuple(dict(members) for members in found.envelopes)
    return Record(
        found.line, item, text, value, has_duplicate_key, envelopes=envelopes, folder=folder
    )


def warnings_of_envelope(keys: list[str], array_key: str) -> list[str]:
    """Return the warnings about the envelope itself, each at most once."""
    warnings = []
    if set(keys) - {array_key, *INHERITED, *ALIASES}:
        warnings.append("envelope_fields")
    if len(set(keys)) != len(keys):
        warnings.append("duplicate_key")
    return warnings


def folder_fields(path: str, mode: str = "reserved") -> tuple[tuple[str, str], ...]:
    """Return what the folders `name=value` on a path say, in the order of the path.

    mode: reserved, all or off.
    """
    said: dict[str, str] = {}
    for part in path.split("/")[:-1]:
        name, is_pair, value = part.partition("=")
        is_reserved = name in (*FIELDS, *ALIASES)
        if not is_pair or mode == "off" or name in NO_FOLDER_FIELDS:
            continue
        text = unquote(value)
        if value == HIVE_NULL or is_absent_raw_value(text):
            continue
        if is_reserved or mode == "all":
            said.pop(name, None)
            said[name] = text
    return tuple(said.items())


def is_absent_raw_value(raw_value: str) -> bool:
    """Return whether the text of an unquoted cell is absent."""
    return is_blank(raw_value) or raw_value in ("\\N", "NULL")


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


def compact(text: str) -> str:
    """Remove insignificant white space; every token keeps its spelling."""
    return STRING_OR_SPACE.sub(r"\1", text)


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

"""Sections 3 and 4: what the contract says of every record, and its identity.

In: files. Out: accepted rows, quarantined rows with their rules, counted warnings. The warning
`possible_personal_data` is left out: the design does not say what looks like an e-mail.
"""

import gzip
import hashlib
import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

from oracle.reading import Number, Record, exact, read, whole_units
from oracle.rules import EPOCH, ONE_MICROSECOND, Row, microseconds, six_digits

TEXT_FIELDS = (
    "id", "type", "uid", "sid", "cid", "rec_id", "page_view_id", "module_view_id",
    "impression_id", "item_id", "item_id_relation", "page_type", "click_type", "conversion_type",
)  # fmt: skip
TIME_FIELDS = ("original_timestamp", "server_timestamp", "ingest_timestamp")
FIELDS = (*TEXT_FIELDS, *TIME_FIELDS, "rank", "item_ids", "dwell_ms")
ALIASES = {"session_id": "sid", "client_id": "cid"}
IDENTITY = ("uid", "sid", "cid")
PLACEHOLDERS = ("null", "undefined", "none", "nan")
MANDATORY: dict[str, tuple[str, ...]] = {
    "page_view": ("page_type",),
    "module_view": ("rank",),
    "impression": ("item_id", "rank"),
    "click": ("item_id", "click_type"),
    "conversion": ("conversion_type", "item_ids"),
    "dwell_time": ("dwell_ms",),
    "scroll": (),
}
# The 25 code points with the Unicode property White_Space; str.isspace() has four more.
WHITE_SPACE = frozenset(
    "\t\n\v\f\r \x85\xa0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a"
    "\u2028\u2029\u202f\u205f\u3000"
)
NUMERIC_TEXT = re.compile(r"[0-9]+(\.[0-9]+)?")
INTEGER = re.compile(r"-?[0-9]+")
TIME_TEXT = re.compile(
    r"(?P<year>[0-9]{4})-(?P<month>[0-9]{2})-(?P<day>[0-9]{2})"
    r"(?:[Tt ](?P<hour>[01][0-9]|2[0-3]):(?P<minute>[0-5][0-9])"
    r"(?::(?P<second>[0-5][0-9])(?:\.(?P<fraction>[0-9]+))?)?)?"
    r"(?:[Zz]| UTC|(?P<sign>[+-])(?P<off_hour>[01][0-9]|2[0-3]):?(?P<off_minute>[0-5][0-9]))?"
)
UNIX_UNITS = ((Decimal("1e11"), 6), (Decimal("1e14"), 3), (Decimal("1e17"), 0))
EARLIEST = microseconds(datetime.fromisoformat("2000-01-01") - EPOCH)


@dataclass(frozen=True)
class ExportFile:
    """A JSON Lines file: plain bytes, received at a naive UTC time."""

    source: str
    path: str
    data: bytes
    received_at: datetime


def gzipped_files(folder: Path) -> list[ExportFile]:
    """The gzipped files of a folder, in the order of their names, received now."""
    now = datetime.now(UTC).replace(tzinfo=None)
    return [
        ExportFile("default", path.name, gzip.decompress(path.read_bytes()), now)
        for path in sorted(folder.glob("*.jsonl.gz"))
    ]


@dataclass(frozen=True)
class Judged:
    """The judgement; warnings count records by (path, type or '(none)', rule)."""

    accepted: list[Row]
    quarantined: list[Row]
    warnings: Counter[tuple[str, str, str]]
    blank_lines: Counter[str] = field(default_factory=Counter)


class InvalidValueError(Exception):
    """A value is present, but of a wrong type or out of range."""


def judge(files: list[ExportFile]) -> Judged:
    """Judge every record of the files by the contract."""
    judged = Judged([], [], Counter())
    for file in files:
        reading = read(file.data)
        judged.blank_lines[file.path] += reading.blank_lines
        for rule in reading.envelope_warnings:
            judged.warnings[file.path, "(none)", rule] += 1
        seen: Counter[str] = Counter()
        for record in reading.records:
            ordinal = seen[record.text]
            seen[record.text] += 1
            judge_record(record, ordinal, file, judged)
    return judged


def judge_record(record: Record, ordinal: int, file: ExportFile, judged: Judged) -> None:
    """Put one record where it belongs."""
    place: Row = {
        "source": file.source,
        "source_file": file.path,
        "source_line": record.line,
        "source_item": record.item,
    }
    if record.problem is not None:
        unread = {"type": None, "rules": [record.problem], "fields": []}
        judged.quarantined.append(place | unread)
        return
    sent_type = record.value.get("type")
    type_text = sent_type if isinstance(sent_type, str) else None
    values, properties, violations, warnings = apply_contract(record, file.received_at)
    for rule in warnings:
        judged.warnings[file.path, "(none)" if type_text is None else type_text, rule] += 1
    if violations:
        rules = sorted(violations)
        fields = sorted({name for names in violations.values() for name in names})
        judged.quarantined.append(place | {"type": type_text, "rules": rules, "fields": fields})
        return
    record_md5 = md5(record.text)
    given = values["ingest_timestamp"]
    judged.accepted.append(
        place
        | values
        | {
            "id": values["id"] or "evt_" + md5(f"{record_md5}:{ordinal}"),
            "ingest_timestamp": file.received_at if given is None else given,
            "given_ingest_timestamp": given,
            "received_at": file.received_at,
            "record_md5": record_md5,
            "properties": properties,
        }
    )


def md5(text: str) -> str:
    """Return the md5 of a text's UTF-8 bytes, as hex."""
    return hashlib.md5(text.encode("utf-8"), usedforsecurity=False).hexdigest()


def apply_contract(
    record: Record, received_at: datetime
) -> tuple[Row, Row, dict[str, tuple[str, ...]], set[str]]:
    """Return the field values, the custom fields, the violated rules with their fields, warnings.

    A field that is absent or invalid has the value None.
    """
    warnings = {"duplicate_key"} if record.has_duplicate_key else set()
    sent, properties = split_fields(record.value, warnings)
    values: Row = {}
    invalid = set()
    for name in FIELDS:
        values[name] = None
        if is_absent_in(name, sent[name]):
            continue
        try:
            values[name], coerced = converter_of(name, received_at)(sent[name])
        except InvalidValueError:
            invalid.add(name)
            continue
        if coerced:
            warnings.add("coerced")
    violations: dict[str, tuple[str, ...]] = {f"invalid_{name}": (name,) for name in invalid}
    for name in mandatory_fields(values["type"]):
        if values[name] is None and name not in invalid:
            violations[f"missing_{name}"] = (name,)
    if not invalid.intersection(IDENTITY) and all(values[name] is None for name in IDENTITY):
        violations["missing_identity"] = IDENTITY
    if values["type"] is not None and is_near_standard(values["type"]):
        warnings.add("near_standard_type")
    if any(is_unsupported(value) for value in properties.values()):
        warnings.add("unsupported_field_type")
    return values, properties, violations, warnings


def mandatory_fields(event_type: str | None) -> tuple[str, ...]:
    """Return what an event must have; an absent or invalid type has no rules of its own."""
    of_type = () if event_type is None else MANDATORY.get(event_type, ())
    return ("type", "original_timestamp", *of_type)


def split_fields(value: Row, warnings: set[str]) -> tuple[Row, Row]:
    """Separate reserved from custom fields, with the aliases applied."""
    sent = {name: value.get(name) for name in FIELDS}
    custom = {name: item for name, item in value.items() if name not in sent}
    placeholders = [is_placeholder(sent[name]) for name in IDENTITY]
    for alias, name in ALIASES.items():
        if alias not in custom:
            continue
        if is_absent_in(name, sent[name]):
            sent[name] = custom.pop(alias)
        elif not is_absent_in(name, custom[alias]) and differs(sent[name], custom[alias]):
            warnings.add("alias_conflict")
    placeholders += [is_placeholder(sent[name]) for name in IDENTITY]
    if any(placeholders):
        warnings.add("placeholder_id")
    return sent, custom


def differs(one: Any, other: Any) -> bool:  # any JSON value
    """Tell whether two present values of a text field mean different texts."""
    try:
        return as_text(one)[0] != as_text(other)[0]
    except InvalidValueError:
        return bool(one != other)


def is_blank(value: Any) -> bool:  # any JSON value
    """Tell whether a value counts as absent in every field."""
    if isinstance(value, str):
        return all(character in WHITE_SPACE for character in value)
    return value is None or value == []


def is_placeholder(value: Any) -> bool:  # any JSON value
    """Tell whether a value is a word that means no value."""
    return isinstance(value, str) and value.lower() in PLACEHOLDERS


def is_absent_in(name: str, value: Any) -> bool:  # any JSON value
    """Tell whether a value counts as absent in this field."""
    return is_blank(value) or (name in IDENTITY and is_placeholder(value))


def is_near_standard(event_type: str) -> bool:
    """Tell whether a type is a standard one but for case and separators."""
    letters = re.sub(r"[_\- ]", "", event_type).lower()
    return event_type not in MANDATORY and letters in {name.replace("_", "") for name in MANDATORY}


def is_unsupported(value: Any) -> bool:  # any JSON value
    """Tell whether a custom value is of no supported type: arrays neither of texts nor numbers."""
    if not isinstance(value, list):
        return False
    return not any(all(isinstance(item, kind) for item in value) for kind in (str, Number))


def converter_of(name: str, received_at: datetime) -> Callable[[Any], tuple[Any, bool]]:
    """Return what turns a present value of the field into (value, was it coerced)."""
    if name == "type":
        return as_type
    if name in TIME_FIELDS:
        return lambda value: (as_time(value, received_at), False)
    special = {"rank": as_rank, "item_ids": as_items, "dwell_ms": as_dwell}
    return special.get(name, as_text)


def as_text(value: Any) -> tuple[str, bool]:  # any JSON value
    """Take a text, or an integer as its digits."""
    if isinstance(value, Number) and INTEGER.fullmatch(value.text):
        return ("0" if value.text == "-0" else value.text), True
    if not isinstance(value, str):
        raise InvalidValueError
    if "\0" in value or any("\ud800" <= character <= "\udfff" for character in value):
        raise InvalidValueError
    return value, False


def as_type(value: Any) -> tuple[str, bool]:  # any JSON value
    """Take a text only."""
    text, coerced = as_text(value)
    if coerced:
        raise InvalidValueError
    return text, False


def as_items(value: Any) -> tuple[list[str], bool]:  # any JSON value
    """Take an array whose every element is a text that is not blank."""
    if not isinstance(value, list) or any(is_blank(item) for item in value):
        raise InvalidValueError
    texts = [as_text(item) for item in value]
    return [text for text, _ in texts], any(coerced for _, coerced in texts)


def number_of(value: Any) -> Decimal:  # any JSON value
    """Take a number or numeric text, exactly."""
    if isinstance(value, Number):
        return exact(value.text)
    if isinstance(value, str) and NUMERIC_TEXT.fullmatch(value):
        return exact(value)
    raise InvalidValueError


def as_rank(value: Any) -> tuple[int, bool]:  # any JSON value
    """Take a whole number that fits 31 bits; only an integer token is not coerced."""
    number = number_of(value)
    if not 0 <= number <= 2_147_483_647 or number != number.to_integral_value():
        raise InvalidValueError
    is_integer = isinstance(value, Number) and INTEGER.fullmatch(value.text) is not None
    return int(number), not is_integer


def as_dwell(value: Any) -> tuple[Decimal | None, bool]:  # any JSON value
    """Take milliseconds from 0 to below 1e15, to six digits."""
    number = number_of(value)
    if not 0 <= number < Decimal("1e15"):
        raise InvalidValueError
    return six_digits(whole_units(number, 6, cut=False)), isinstance(value, str)


def as_time(value: Any, received_at: datetime) -> datetime:  # any JSON value
    """Take a date, a time or a unix number between 2000 and a day after the receipt."""
    match = TIME_TEXT.fullmatch(value) if isinstance(value, str) else None
    instant = calendar_time(match) if match else unix_time(number_of(value))
    latest = microseconds(received_at + timedelta(hours=24) - EPOCH)
    if not EARLIEST <= instant <= latest:
        raise InvalidValueError
    return EPOCH + instant * ONE_MICROSECOND


def calendar_time(match: re.Match[str]) -> int:
    """Return microseconds since 1970 of a written time."""
    part = {name: text or "0" for name, text in match.groupdict().items()}
    try:
        day = date(int(part["year"]), int(part["month"]), int(part["day"]))
    except ValueError as error:
        raise InvalidValueError from error
    minutes = int(part["hour"]) * 60 + int(part["minute"])
    offset = int(part["off_hour"]) * 60 + int(part["off_minute"])
    minutes += offset if part["sign"] == "-" else -offset
    seconds = (day - EPOCH.date()).days * 86_400 + minutes * 60 + int(part["second"])
    return seconds * 1_000_000 + int(part["fraction"][:6].ljust(6, "0"))


def unix_time(number: Decimal) -> int:
    """Return microseconds since 1970 of a unix number, its unit told by its size."""
    if not 0 <= number < Decimal("1e30"):
        raise InvalidValueError
    places = next((places for limit, places in UNIX_UNITS if number < limit), -3)
    return whole_units(number, places, cut=True)

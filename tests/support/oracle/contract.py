"""Sections 3 and 4: what the contract says of every record, and its identity.

In: files. Out: accepted rows, quarantined rows with their rules, counted warnings. The warning
`possible_personal_data` is left out: the design does not say what looks like an e-mail.
"""

import gzip
import hashlib
import json
import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

from support.oracle.reading import (
    Number,
    Record,
    compact,
    exact,
    folder_fields,
    parse,
    read,
    whole_units,
)
from support.oracle.rules import EPOCH, ONE_MICROSECOND, Row, microseconds, six_digits
from support.oracle.words import (
    ALIASES,
    FIELDS,
    IDENTITY,
    INHERITED,
    TIME_FIELDS,
    is_absent_in,
    is_blank,
    is_placeholder,
)

OPTIONAL_TIMES = ("server_timestamp", "ingest_timestamp")
MANDATORY: dict[str, tuple[str, ...]] = {
    "page_view": ("page_type",),
    "module_view": ("rank",),
    "impression": ("item_id", "rank"),
    "click": ("item_id", "click_type"),
    "conversion": ("conversion_type", "item_ids"),
    "dwell_time": ("dwell_ms",),
    "scroll": (),
}
NUMERIC_TEXT = re.compile(r"[0-9]+(\.[0-9]+)?")
INTEGER = re.compile(r"-?[0-9]+")
TIME_TEXT = re.compile(
    r"(?P<year>[0-9]{4})-(?P<month>[0-9]{2})-(?P<day>[0-9]{2})"
    r"(?:[Tt ](?P<hour>[01][0-9]|2[0-3]):(?P<minute>[0-5][0-9])"
    r"(?::(?P<second>[0-5][0-9])(?:\.(?P<fraction>[0-9]+))?)?"
    r"(?:[Zz](?:\[[^\[\]]+\])?| UTC"
    r"| ?(?P<sign>[+-])(?P<off_hour>[01][0-9]|2[0-3])(?::?(?P<off_minute>[0-5][0-9]))?"
    r"(?: UTC|\[[^\[\]]+\])?)?)?"
)
ZERO_DAYS = ("0001-01-01", "0000-00-00")
UNIX_UNITS = ((Decimal("1e11"), 6), (Decimal("1e14"), 3), (Decimal("1e17"), 0))
EARLIEST = microseconds(datetime.fromisoformat("2000-01-01") - EPOCH)
YEAR_9999 = microseconds(datetime.fromisoformat("9999-01-01") - EPOCH)
YEAR_10000 = YEAR_9999 + 365 * 86_400_000_000
AHEAD = timedelta(minutes=5)


@dataclass(frozen=True)
class ExportFile:
    """A file of text: plain bytes, received at a naive UTC time."""

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
class Validated:
    """The validation; warnings count records by (path, type or '(none)', rule)."""

    accepted: list[Row]
    quarantined: list[Row]
    warnings: Counter[tuple[str, str, str]]
    blank_lines: Counter[str] = field(default_factory=Counter)


class InvalidValueError(Exception):
    """A value is present, but of a wrong type or out of range."""


def validate(files: list[ExportFile], hive_partitions: str = "reserved") -> Validated:
    """Validate every record of the files by the contract."""
    validated = Validated([], [], Counter())
    for file in files:
        folder = folder_fields(file.path, hive_partitions)
        reading = read(file.path, file.data, folder)
        validated.blank_lines[file.path] += reading.blank_lines
        for rule in reading.envelope_warnings:
            validated.warnings[file.path, "(none)", rule] += 1
        seen: Counter[str] = Counter()
        for record in reading.records:
            validate_record(record, seen, file, validated)
    return validated


def validate_record(
    record: Record, seen: Counter[str], file: ExportFile, validated: Validated
) -> None:
    """Put one record where it belongs; `seen` counts the identical texts of the file."""
    place: Row = {
        "source": file.source,
        "source_file": file.path,
        "source_line": record.line,
        "source_item": record.item,
    }
    if record.problem is not None:
        unread = {"type": None, "rules": [record.problem], "fields": []}
        validated.quarantined.append(place | unread)
        return
    validation = apply_contract(record, file.received_at)
    values, text = validation.values, record.text + validation.given_text
    ordinal = seen[text]
    seen[text] += 1
    type_text = validation.sent_type
    for rule in validation.warnings:
        validated.warnings[file.path, "(none)" if type_text is None else type_text, rule] += 1
    if validation.violations:
        rules = sorted(validation.violations)
        fields = sorted({name for names in validation.violations.values() for name in names})
        validated.quarantined.append(place | {"type": type_text, "rules": rules, "fields": fields})
        return
    record_md5 = md5(text)
    given = values["ingest_timestamp"]
    validated.accepted.append(
        place
        | values
        | {
            "id": values["id"] or "evt_" + md5(f"{record_md5}:{ordinal}"),
            "ingest_timestamp": file.received_at if given is None else given,
            "given_ingest_timestamp": given,
            "received_at": file.received_at,
            "record_md5": record_md5,
            "properties": validation.properties,
        }
    )


def md5(text: str) -> str:
    """Return the md5 of a text's UTF-8 bytes, as hex."""
    return hashlib.md5(text.encode("utf-8"), usedforsecurity=False).hexdigest()


@dataclass
class Validation:
    """What the contract says of one record; a field that is absent or invalid is None."""

    values: Row = field(default_factory=dict)
    properties: Row = field(default_factory=dict)
    # Rule to fields.
    violations: dict[str, tuple[str, ...]] = field(default_factory=dict)
    warnings: set[str] = field(default_factory=set)
    sent_type: str | None = None
    # The compact JSON object of what envelope and folder gave, empty where they gave nothing.
    given_text: str = ""


def apply_contract(record: Record, received_at: datetime) -> Validation:
    """Validate one record that can be read."""
    validation = Validation(warnings={"duplicate_key"} if record.has_duplicate_key else set())
    sent, properties = split_fields(record.value, validation.warnings)
    from_text = set(FIELDS) if record.is_text_only else set()
    inherit(record, sent, properties, validation, from_text)
    values, warnings = validation.values, validation.warnings
    for name in FIELDS:
        values[name] = None
        if is_absent_in(name, sent[name]) or is_zero_in(name, sent[name]):
            continue
        try:
            values[name], coerced = converter_of(name, received_at)(sent[name])
        except InvalidValueError:
            validation.violations[f"invalid_{name}"] = (name,)
            continue
        if name == "item_ids":
            values[name] = kept_items(values[name] or [], warnings)
        # A list that is left empty is absent: nothing was coerced.
        if coerced and values[name] is not None and name not in from_text:
            warnings.add("coerced")
    validation.properties = properties
    validation.sent_type = sent["type"] if isinstance(sent["type"], str) else None
    find_missing(validation)
    warn(validation, sent)
    return validation


def kept_items(items: list[str], warnings: set[str]) -> list[str] | None:
    """Leave out the words that mean none."""
    kept = [item for item in items if not is_placeholder("item_id", item)]
    if len(kept) < len(items):
        warnings.add("placeholder_id")
    return kept or None


def find_missing(validation: Validation) -> None:
    """Add what an event must have and has not."""
    invalid = {name for names in validation.violations.values() for name in names}
    for name in mandatory_fields(validation.values["type"]):
        if validation.values[name] is None and name not in invalid:
            validation.violations[f"missing_{name}"] = (name,)
    if not any(validation.values[name] is not None or name in invalid for name in IDENTITY):
        validation.violations["missing_identity"] = IDENTITY


def warn(validation: Validation, sent: Row) -> None:
    """Add the warnings about values."""
    values, warnings = validation.values, validation.warnings
    if values["type"] is not None and is_near_standard(values["type"]):
        warnings.add("near_standard_type")
    if any(is_unsupported(value) for value in validation.properties.values()):
        warnings.add("unsupported_field_type")
    if any(is_zero_in(name, sent[name]) for name in TIME_FIELDS):
        warnings.add("zero_time")
    at, taken_in_at = values["original_timestamp"], values["ingest_timestamp"]
    if at is not None and taken_in_at is not None and at > taken_in_at + AHEAD:
        warnings.add("ahead_of_ingest")


def inherit(
    record: Record, sent: Row, properties: Row, validation: Validation, from_text: set[str]
) -> None:
    """Fill absent fields from the envelopes, nearest first, then from the folder."""
    given: dict[str, str] = {}
    folder = dict(record.folder)
    for name in FIELDS:
        if not (is_absent_in(name, sent[name]) or is_zero_in(name, sent[name])):
            continue
        is_zero = is_zero_in(name, sent[name])
        found = given_by_envelopes(record, name) if name in INHERITED else None
        if found is not None:
            validation.warnings.add("inherited_from_envelope")
        else:
            spelled = [key for key in (name, *aliases_of(name)) if key in folder]
            texts = [json_text(folder[key]) for key in spelled]
            found = next((text for text in texts if not gives_nothing(name, text)), None)
            if found is not None:
                from_text.add(name)
        if found is not None:
            if is_zero:
                validation.warnings.add("zero_time")
            given[name] = found
            sent[name] = parse(found)[0]
    for name, text in record.folder:
        is_custom = name not in FIELDS and name not in ALIASES
        if is_custom and is_blank(record.value.get(name)):
            given[name] = json_text(text)
            properties[name] = text
    if given:
        members = (f"{json_text(name)}:{text}" for name, text in given.items())
        validation.given_text = "{" + ",".join(members) + "}"


def given_by_envelopes(record: Record, name: str) -> str | None:
    """Return the JSON text that the nearest envelope gives to this field."""
    for members in record.envelopes:
        for key in (name, *aliases_of(name)):
            if key in members and not gives_nothing(name, members[key]):
                return compact(members[key])
    return None


def aliases_of(name: str) -> tuple[str, ...]:
    """Return the other names of a field."""
    return tuple(alias for alias, field_name in ALIASES.items() if field_name == name)


def gives_nothing(name: str, text: str) -> bool:
    """Return whether a giver's value is absent itself."""
    value, _ = parse(text)
    return is_absent_in(name, value) or is_zero_in(name, value)


def json_text(value: str) -> str:
    """Write a text as JSON."""
    return json.dumps(value, ensure_ascii=False)


def mandatory_fields(event_type: str | None) -> tuple[str, ...]:
    """Return what an event must have; an absent or invalid type has no rules of its own."""
    of_type = () if event_type is None else MANDATORY.get(event_type, ())
    return ("type", "original_timestamp", *of_type)


def split_fields(value: Row, warnings: set[str]) -> tuple[Row, Row]:
    """Separate reserved from custom fields, with the aliases applied."""
    sent = {name: value.get(name) for name in FIELDS}
    custom = {name: item for name, item in value.items() if name not in sent}
    if any(is_placeholder(name, sent[name]) for name in FIELDS):
        warnings.add("placeholder_id")
    for alias, name in ALIASES.items():
        if alias not in custom:
            continue
        if is_absent_in(name, sent[name]):
            if is_placeholder(name, custom[alias]):
                warnings.add("placeholder_id")
            sent[name] = custom.pop(alias)
        elif is_absent_in(name, custom[alias]):
            del custom[alias]
        elif differs(sent[name], custom[alias]):
            warnings.add("alias_conflict")
    return sent, custom


def differs(one: Any, other: Any) -> bool:  # any JSON value
    """Return whether two present values of a text field mean different texts."""
    try:
        return as_text(one)[0] != as_text(other)[0]
    except InvalidValueError:
        return bool(one != other)


def is_near_standard(event_type: str) -> bool:
    """Return whether a type is a standard one but for case and separators."""
    letters = re.sub(r"[_\- ]", "", event_type).lower()
    return event_type not in MANDATORY and letters in {name.replace("_", "") for name in MANDATORY}


def is_unsupported(value: Any) -> bool:  # any JSON value
    """Return whether a custom value is an array neither of texts nor of numbers."""
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


def as_items(value: Any) -> tuple[list[str] | None, bool]:  # any JSON value
    """Take an array, or its JSON text, whose every element is a text that is not blank."""
    is_text = isinstance(value, str)
    if is_text:
        try:
            value, _ = parse(value)
        except ValueError as error:
            raise InvalidValueError from error
    if not isinstance(value, list) or any(is_blank(item) for item in value):
        raise InvalidValueError
    texts = [as_text(item) for item in value]
    coerced = is_text or any(coerced for _, coerced in texts)
    return [text for text, _ in texts] or None, coerced


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
    """Take a date, a time or a unix number between 2000 and a day after the arrival time."""
    instant = instant_of(value)
    latest = microseconds(received_at + timedelta(hours=24) - EPOCH)
    if not EARLIEST <= instant <= latest:
        raise InvalidValueError
    return EPOCH + instant * ONE_MICROSECOND


def instant_of(value: Any) -> int:  # any JSON value
    """Return microseconds since 1970 of a time."""
    match = TIME_TEXT.fullmatch(value) if isinstance(value, str) else None
    return calendar_time(match) if match else unix_time(number_of(value))


def is_zero_in(name: str, value: Any) -> bool:  # any JSON value
    """Return whether a value is a time that means none, in a field that may have none."""
    if name not in OPTIONAL_TIMES or value is None:
        return False
    match = TIME_TEXT.fullmatch(value) if isinstance(value, str) else None
    if match is not None and value[:10] in ZERO_DAYS:
        names = ("hour", "minute", "second", "fraction")
        return all(not (match[name] or "").strip("0") for name in names)
    try:
        instant = instant_of(value)
    except InvalidValueError:
        return False
    is_spelled_9999 = match is not None and match["year"] == "9999"
    return instant == 0 or is_spelled_9999 or YEAR_9999 <= instant < YEAR_10000


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
    """Return microseconds since 1970 of a unix number, its unit by its size."""
    if not 0 <= number < Decimal("1e30"):
        raise InvalidValueError
    places = next((places for limit, places in UNIX_UNITS if number < limit), -3)
    return whole_units(number, places, cut=True)

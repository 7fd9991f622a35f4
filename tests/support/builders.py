"""Events, files and validations for the tests of exports and contract."""

import json
import os
from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sequen_dagster.contract import EventContract, Origin
from sequen_dagster.errors import UnreadableFileError
from sequen_dagster.exports.files import ExportFile
from sequen_dagster.exports.limits import ReadLimits
from sequen_dagster.exports.readers import ExportReader
from sequen_dagster.exports.records import RecordChunk

RECEIVED_AT = datetime(2025, 7, 20, 12, 0, 0)
MANDATORY: dict[str, dict[str, Any]] = {
    "page_view": {"page_type": "home"},
    "module_view": {"rank": 1},
    "impression": {"item_id": "a", "rank": 1},
    "click": {"item_id": "a", "click_type": "like"},
    "conversion": {"conversion_type": "purchase", "item_ids": ["a", "b"]},
    "dwell_time": {"dwell_ms": 1200},
    "scroll": {},
}


@dataclass(frozen=True)
class Verdict:
    """All splits of one file put together."""

    accepted: list[dict[str, Any]]
    quarantined: list[dict[str, Any]]
    errors: dict[tuple[str, str], int]
    warnings: dict[tuple[str, str], int]
    records: int = 0
    blank_lines: int = 0
    file_format: str = ""

    @property
    def rules(self) -> list[list[str]]:
        """The rules of every quarantined record."""
        return [row["rules"] for row in self.quarantined]

    @property
    def warned(self) -> set[str]:
        """The warning codes."""
        return {code for _, code in self.warnings}

    @property
    def places(self) -> list[tuple[int, int]]:
        """Line and item of every accepted record."""
        return [(row["source_line"], row["source_item"]) for row in self.accepted]

    @property
    def bad_places(self) -> list[tuple[int, int, str]]:
        """Line, item and rules of every quarantined record, in file order."""
        rows = (
            (row["source_line"], row["source_item"], " ".join(row["rules"]))
            for row in self.quarantined
        )
        return sorted(rows)


def event(event_type: str = "page_view", **fields: Any) -> dict[str, Any]:
    """Make a valid event of a type, with fields changed, added, or (`...`) left out."""
    base = {
        "id": "e1",
        "type": event_type,
        "original_timestamp": "2025-07-14T09:15:22.401Z",
        "uid": "u1",
        **MANDATORY.get(event_type, {}),
    }
    return {name: value for name, value in {**base, **fields}.items() if value is not ...}


def good(number: int = 1) -> str:
    """The text of a valid event."""
    return json.dumps(event("scroll", id=f"e{number}"))


def export(tmp_path: Path, content: str | bytes, name: str = "a.jsonl") -> ExportFile:
    """Write an export and list it, as received at `RECEIVED_AT`."""
    path = tmp_path / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    os.utime(path, (RECEIVED_AT.replace(tzinfo=UTC).timestamp(),) * 2)
    return ExportFile("default", name, str(path), path.stat().st_size, RECEIVED_AT)


def chunks_of(
    tmp_path: Path, content: str | bytes, name: str = "a.jsonl", **limits: int
) -> tuple[list[RecordChunk], str]:
    """Read an export; its chunks and its format."""
    with ExportReader(export(tmp_path, content, name), ReadLimits(**limits)) as reader:
        return list(reader.chunks()), reader.file_format


def refused_as(tmp_path: Path, content: bytes, name: str = "a.jsonl", **limits: int) -> str:
    """The rule by which a whole file is refused; empty where it is read."""
    try:
        chunks_of(tmp_path, content, name, **limits)
    except UnreadableFileError as error:
        return error.rule
    return ""


def validate_chunks(chunks: list[RecordChunk], **origin: Any) -> Verdict:
    """Validate chunks as one file received at `RECEIVED_AT`."""
    kept: list[dict[str, Any]] = []
    bad: list[dict[str, Any]] = []
    errors: Counter[tuple[str, str]] = Counter()
    warnings: Counter[tuple[str, str]] = Counter()
    origin_of_file = Origin(**{"source_file": "a.jsonl", "received_at": RECEIVED_AT, **origin})
    for split in EventContract().validate_chunks(iter(chunks), origin_of_file):
        kept += split.accepted.to_dicts()
        bad += split.quarantined.to_dicts()
        errors += split.errors
        warnings += split.warnings
    records = sum(len(chunk.texts) + len(chunk.unreadable) for chunk in chunks)
    blank_lines = sum(chunk.blank_lines for chunk in chunks)

    assert len(kept) + len(bad) == records
    return Verdict(kept, bad, dict(errors), dict(warnings), records, blank_lines)


def validate_file(
    tmp_path: Path, content: str | bytes, name: str = "a.jsonl", **limits: int
) -> Verdict:
    """Read and validate an export."""
    chunks, file_format = chunks_of(tmp_path, content, name, **limits)
    verdict = validate_chunks(chunks)
    return Verdict(**{**verdict.__dict__, "file_format": file_format})


def validate_texts(*texts: str | bytes) -> Verdict:
    """Validate records given as JSON texts, one a line."""
    chunk = RecordChunk()
    for number, text in enumerate(texts, start=1):
        chunk.add(text if isinstance(text, bytes) else text.encode(), number)
    return validate_chunks([chunk])


def validate_event(event_type: str = "scroll", **fields: Any) -> Verdict:
    """Validate one event (see `event`)."""
    return validate_texts(json.dumps(event(event_type, **fields)))


def accepted(event_type: str = "scroll", **fields: Any) -> dict[str, Any]:
    """The row of one event that must be accepted."""
    verdict = validate_event(event_type, **fields)

    assert verdict.rules == []
    return verdict.accepted[0]


def rules_of(event_type: str = "scroll", **fields: Any) -> list[str]:
    """The rules that one event breaks."""
    return [rule for rules in validate_event(event_type, **fields).rules for rule in rules]

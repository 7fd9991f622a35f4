"""Exports and contract against the oracle: random files, every column of every row."""

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from sequen_dagster.errors import UnreadableFileError
from sequen_dagster.settings.absence import WHITE_SPACE
from support.builders import RECEIVED_AT, Verdict, validate_file
from support.oracle import ExportFile, Number, Validated, validate
from support.random_files import Writer

# near_standard_type: ours also knows misspellings. possible_personal_data: the oracle has none.
# lone_surrogate: ours, since the engine cannot store what the oracle keeps.
NOT_COMPARED = {"near_standard_type", "possible_personal_data", "lone_surrogate"}


def exact(value: Any) -> Any:
    """JSON with numbers as their text, whichever side it comes from."""
    if isinstance(value, Number):
        return ("number", value.text)
    if isinstance(value, dict):
        return {key: exact(inner) for key, inner in value.items()}
    return [exact(inner) for inner in value] if isinstance(value, list) else value


def parsed(properties: str) -> Any:
    def number(text: str) -> tuple[str, str]:
        return ("number", text)

    return json.loads(properties, parse_int=number, parse_float=number)


def stored_type(event_type: str | None) -> str | None:
    """The type as the tables show it: the oracle shows what was sent, even a blank one."""
    is_type = event_type and event_type.strip(WHITE_SPACE) and "\0" not in event_type
    return event_type if is_type else None


def place(row: dict[str, Any]) -> tuple[int, int]:
    return row["source_line"], row["source_item"]


def is_compared(warning: tuple[str, str]) -> bool:
    return warning[1] not in NOT_COMPARED


def warnings_of(result: Validated) -> dict[tuple[str, str], int]:
    counted: Counter[tuple[str, str]] = Counter()
    for (_, event_type, code), count in result.warnings.items():
        if is_compared((stored_type(event_type) or "(none)", code)):
            counted[stored_type(event_type) or "(none)", code] += count
    return dict(counted)


def compare(folder: Path, content: bytes, name: str = "a.jsonl") -> None:
    expected = validate([ExportFile("default", name, content, RECEIVED_AT)])
    verdict: Verdict | None
    try:
        verdict = validate_file(folder, content, name)
    except UnreadableFileError as error:
        rule = error.rule
        verdict = None
    if verdict is None:
        assert expected.accepted == []
        assert [(place(row), row["rules"]) for row in expected.quarantined] == [((0, 1), [rule])]
        return
    unread = {place(row): row["rules"] for row in expected.quarantined}
    quarantined = {place(row): row for row in verdict.quarantined}
    assert {where: row["rules"] for where, row in quarantined.items()} == unread
    assert verdict.places == [place(row) for row in expected.accepted]
    for row, other in zip(verdict.accepted, expected.accepted, strict=True):
        found = {name: row[name] for name in other} | {"properties": parsed(row["properties"])}
        found["source_file"] = name
        assert found == other | {"properties": exact(other["properties"])}
    for other in expected.quarantined:
        row = quarantined[place(other)]
        assert sorted(row["fields"]) == other["fields"]
        assert row["type"] == stored_type(other["type"])
    compared = {key: count for key, count in verdict.warnings.items() if is_compared(key)}
    assert compared == warnings_of(expected)
    assert verdict.blank_lines == sum(expected.blank_lines.values())


@pytest.mark.parametrize("seed", range(13))
def test_json_text_is_read_as_the_oracle_reads_it(tmp_path: Path, seed: int) -> None:
    writer = Writer(seed)
    for number in range(20):
        compare(tmp_path, writer.json_file(breaks=max(0, number % 6 - 2)))


@pytest.mark.parametrize("seed", range(4))
def test_folders_give_fields_as_the_oracle_says(tmp_path: Path, seed: int) -> None:
    writer = Writer(seed)
    for _ in range(10):
        compare(tmp_path, writer.json_file(breaks=0), f"{writer.folders()}a.json")


@pytest.mark.parametrize("name", ["a.csv", "a.tsv"])
@pytest.mark.parametrize("seed", range(6))
def test_delimited_text_is_read_as_the_oracle_reads_it(
    tmp_path: Path, seed: int, name: str
) -> None:
    writer = Writer(seed)
    for number in range(20):
        compare(tmp_path, writer.table(number % 3, is_tsv=name == "a.tsv"), name)

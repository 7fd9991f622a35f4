"""CSV and TSV exports as records."""

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from builders import chunks_of, judge_file

HEAD = "type,original_timestamp,uid,note\n"
ROW = "scroll,2025-07-14,u1,x\n"


def texts(tmp_path: Path, content: str | bytes, name: str = "a.csv", **limits: int) -> list[Any]:
    chunks, _ = chunks_of(tmp_path, content, name, **limits)
    return [json.loads(text) for chunk in chunks for text in chunk.texts]


@pytest.mark.bad_input(58)
@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
@pytest.mark.parametrize("name", ["a.csv", "A.CSV", "a.csv.gz", "a.csv.lz4"])
def test_delimiter_is_the_most_frequent_of_the_header(
    tmp_path: Path, delimiter: str, name: str
) -> None:
    content = delimiter.join(["type", "uid", "a b"]) + "\n" + delimiter.join(["x", "1", ""])

    assert texts(tmp_path, content, name) == [{"type": "x", "uid": "1"}]


@pytest.mark.bad_input(56, 58)
def test_cells_are_text_and_quotes_are_read(tmp_path: Path) -> None:
    content = 'uid,b,c\n007,"x,""y""\nz",\n"","1.0",=cmd\n'

    assert texts(tmp_path, content) == [{"uid": "007", "b": 'x,"y"\nz'}, {"b": "1.0", "c": "=cmd"}]


def test_lineage_counts_physical_lines(tmp_path: Path) -> None:
    content = f'\ufeff\n{HEAD}{ROW}scroll,2025-07-14,u1,"two\nlines"\n\n   \n{ROW}'
    verdict = judge_file(tmp_path, content, "a.csv")

    assert verdict.places == [(3, 1), (4, 1), (8, 1)]
    assert (verdict.blank_lines, verdict.file_format) == (3, "csv")


@pytest.mark.fault(14)
@pytest.mark.bad_input(58)
@pytest.mark.parametrize(
    ("bad", "rule"),
    [
        ("a,b,c,d,e\n", "malformed_csv"),
        ('scroll,"2025,u1,x\n', "malformed_csv"),
        ('scroll,"a"b,u1,x\n', "malformed_csv"),
        (b"scroll,2025-07-14,u\xfc,x\n", "bad_encoding"),
        ("scroll,2025-07-14,u1," + "x" * 400 + "\n", "too_large"),
    ],
)
@pytest.mark.parametrize("end", ["", ROW])
def test_bad_row_does_not_cost_the_others(
    tmp_path: Path, bad: str | bytes, rule: str, end: str
) -> None:
    middle = bad if isinstance(bad, bytes) else bad.encode()
    content = HEAD.encode() + ROW.encode() + middle + end.encode()
    verdict = judge_file(tmp_path, content, "a.csv", max_record_bytes=300)

    assert verdict.places == [(2, 1), (4, 1)][: 1 + bool(end)]
    assert verdict.bad_places == [(3, 1, rule)]
    assert verdict.quarantined[0]["raw_bytes"] == len(middle)


def test_carriage_returns_end_lines(tmp_path: Path) -> None:
    rows = [{"id": "1", "b": "2"}, {"id": "3", "b": "4"}]

    assert texts(tmp_path, "id,b\r1,2\r3,4\r") == rows
    assert texts(tmp_path, "id,b\r\n1,2\r\n3,4") == rows


@pytest.mark.fault(13)
@pytest.mark.bad_input(58)
@pytest.mark.parametrize("content", ["", "\n\n", "id,b\n", "id,b", "sep=;", "sep=;\nid;b\n\n"])
def test_header_alone_holds_no_records(tmp_path: Path, content: str) -> None:
    assert judge_file(tmp_path, content, "a.csv").records == 0


@pytest.mark.bad_input(58)
def test_duplicate_header_keeps_the_last_and_warns(tmp_path: Path) -> None:
    content = "type,original_timestamp,uid,uid\nscroll,2025-07-14,u1,u2\n"
    verdict = judge_file(tmp_path, content, "a.csv")

    assert verdict.accepted[0]["uid"] == "u2"
    assert verdict.warned == {"duplicate_key"}


def test_csv_numbers_are_text_by_nature_and_do_not_warn(tmp_path: Path) -> None:
    content = (
        "type;original_timestamp;uid;rank;dwell_ms;item_id;item_ids\n"
        'impression;1752484522;7;3;1.5;9;"[""a"", 7]"\n'
        "impression;1752484522;7;x;-1;9;a\n"
    )
    verdict = judge_file(tmp_path, content, "a.csv")

    row = verdict.accepted[0]
    assert (row["uid"], row["rank"], row["dwell_ms"]) == ("7", 3, Decimal("1.5"))
    assert row["item_ids"] == ["a", "7"]
    assert verdict.rules == [["invalid_dwell_ms", "invalid_item_ids", "invalid_rank"]]
    assert verdict.warnings == {}

"""The corpus of bad inputs: no crash, no other row lost, a typed reason; values in no message.

Files of the list that are covered elsewhere: compression in `test_compression`, names in
`test_files`, documents and long lines in `test_readers`, CSV and Parquet in `test_tables`.
"""

import json
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from sequen_dagster.contract import EventContract, validate
from sequen_dagster.errors import SequenError
from support.builders import event, good, validate_file

CANARY = "canary.person@example.com"
EXACT = json.dumps(event("scroll", id="e3"))


def line(**fields: Any) -> bytes:
    return json.dumps(event("scroll", id="bad", **fields)).encode()


CASES: dict[str, tuple[bytes, list[str]]] = {
    "latin-1": ('{"note": "caf\u00e9"}'.encode("latin-1"), ["bad_encoding"]),
    "invalid UTF-8": (b'{"uid": "\xc0\x80"}', ["bad_encoding"]),
    "raw NUL": (line(uid="a").replace(b'"a"', b'"a\0"'), ["malformed_json"]),
    "escaped NUL in id": (line(uid="a\0"), ["invalid_uid"]),
    "lone surrogate in id": (line(uid="\ud800"), ["invalid_uid"]),
    "deep objects": (b'{"a":' * 20_000 + b"1" + b"}" * 20_000, ["too_deep"]),
    "deep arrays": (b"[" * 100_000, ["too_deep"]),
    "deep custom value": (line(note="#").replace(b'"#"', b"[" * 65 + b"]" * 65), ["too_deep"]),
    "NaN": (b'{"rank": NaN}', ["malformed_json"]),
    "Infinity": (b'{"rank": -Infinity}', ["malformed_json"]),
    "1e999": (line(rank="#").replace(b'"#"', b"1e999"), ["invalid_rank"]),
    "impossible day": (line(original_timestamp="2024-02-30"), ["invalid_original_timestamp"]),
    "leap second": (
        line(original_timestamp="2016-12-31T23:59:60Z"), ["invalid_original_timestamp"]),
    "American date": (line(original_timestamp="01/02/2024"), ["invalid_original_timestamp"]),
    "year 9999": (line(original_timestamp="9999-12-31"), ["invalid_original_timestamp"]),
    "year 0001": (line(original_timestamp="0001-01-01"), ["invalid_original_timestamp"]),
    "year 0000": (line(original_timestamp="0000-01-01T00:00:00Z"), ["invalid_original_timestamp"]),
    "offset before year 1": (
        line(original_timestamp="0001-01-01T00:00:00+23:00"), ["invalid_original_timestamp"]),
    "offset behind year 9999": (
        line(original_timestamp="9999-12-31T23:59:59-23:00"), ["invalid_original_timestamp"]),
    "negative time": (line(original_timestamp=-1), ["invalid_original_timestamp"]),
    "price in a number field": (line(dwell_ms="1,99"), ["invalid_dwell_ms"]),
    "dollar price": (line(dwell_ms="$5"), ["invalid_dwell_ms"]),
    "huge number": (line(dwell_ms=1e308), ["invalid_dwell_ms"]),
    "unclosed": (b'{"a": "', ["malformed_json"]),
    "e-mail in a bad record": (line(uid=[CANARY]), ["invalid_uid"]),
}  # fmt: skip

ACCEPTED: dict[str, dict[str, Any]] = {
    "keys that differ by case": {"Note": 1, "note": 2, "UID": "x"},
    "keys of other languages' insides": {"__proto__": 1, "constructor": 2, "": 3, "k" * 10_000: 4},
    "big integers": {"uid": 9007199254740993, "item_id": 10**22},
    "id that looks like something else": {"uid": "00123", "item_id": "1e5", "rec_id": "true"},
    "1 MB id": {"item_id": "x" * 1_000_000},
    "prices": {"price": "1,99", "b": "$5", "c": -1.5, "d": 1e308, "quantity": [0, -1, 1.5]},
    "10,000 fields": {f"f{number}": number for number in range(10_000)},
    "100,000 items": {"item_ids": ["x"] * 100_000},
    "names of our columns": {"_batch_id": 1, "select": 2, "source_line": 3, "properties": 4,
                             "rank__state": 5, "raw_value": 6, "received_at": "x", "row": 7},
    "formulas": {"a": "=cmd|'/C calc'!A0", "b": "+1", "c": "@x", "d": "\tx", "e": "\uff1dx"},
    "markup": {"a": "<script>alert(1)</script>", "b": "]]>", "c": "javascript:x",
               "uid": "</script>"},
}  # fmt: skip


@pytest.mark.bad_input(19, 37, 38, 39, 40, 44, 45, 50, 51)
@pytest.mark.parametrize("name", CASES)
def test_only_the_bad_line_is_quarantined_with_its_reason(tmp_path: Path, name: str) -> None:
    bad, rules = CASES[name]
    verdict = validate_file(tmp_path, good(1).encode() + b"\n" + bad + b"\n" + good(2).encode())

    assert [row["id"] for row in verdict.accepted] == ["e1", "e2"]
    assert verdict.bad_places == [(2, 1, " ".join(rules))]


@pytest.mark.bad_input(42, 43, 46, 47, 49, 51, 52, 53, 54, 55, 56, 57)
@pytest.mark.parametrize("name", ACCEPTED)
def test_unusual_but_valid_record_is_kept_whole(tmp_path: Path, name: str) -> None:
    fields = ACCEPTED[name]
    verdict = validate_file(tmp_path, good(1).encode() + b"\n" + line(**fields) + b"\n")

    row = verdict.accepted[1]
    custom = {key: value for key, value in fields.items() if key not in row or key == "properties"
              or key in ("source_line", "received_at")}  # fmt: skip
    assert json.loads(row["properties"]) == custom
    for key in fields.keys() - custom.keys():
        assert row[key] == (str(fields[key]) if isinstance(fields[key], int) else fields[key])


@pytest.mark.bad_input(50)
@pytest.mark.parametrize("seconds", [0, 1.5])
def test_units_of_unix_time(tmp_path: Path, seconds: float) -> None:
    base = 1_752_484_522 + seconds
    texts = [f"{base:.3f}", f"{base * 10**3:.0f}", f"{base * 10**6:.0f}", f"{base * 10**9:.0f}"]
    lines = [line(original_timestamp="#").replace(b'"#"', text.encode()) for text in texts]
    verdict = validate_file(tmp_path, b"\n".join(lines))

    expected = datetime(2025, 7, 14, 9, 15, 22) + timedelta(seconds=seconds)
    assert [row["original_timestamp"] for row in verdict.accepted] == [expected] * 4


@pytest.mark.bad_input(20, 21, 22)
def test_line_ends_of_every_kind(tmp_path: Path) -> None:
    for end in ("\n", "\r\n", "\r"):
        content = end.join([good(1), good(2), good(3)])
        assert len(validate_file(tmp_path, content).accepted) == 3


def test_many_bad_records_take_the_same_path(tmp_path: Path) -> None:
    bad = "\n".join(json.dumps(event("scroll", uid=[CANARY], rank="x")) for _ in range(3000))
    verdict = validate_file(tmp_path, bad)

    assert verdict.errors == {("scroll", "invalid_uid"): 3000, ("scroll", "invalid_rank"): 3000}


@pytest.mark.bad_input(61)
def test_own_fault_shows_no_value(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    # Where a converted column does not fit the schema, Pandera's report would hold records.

    convert = validate.convert

    def broken(*columns: Any, **options: Any) -> Any:
        return convert(*columns, **options).with_columns(rank="uid")

    monkeypatch.setattr(validate, "convert", broken)

    with pytest.raises(SequenError) as caught:
        validate_file(tmp_path, json.dumps(event("scroll", uid=CANARY)))
    assert CANARY not in str(caught.value) + repr(caught.value.__cause__)
    assert caught.value.__suppress_context__


def test_contract_has_no_state(tmp_path: Path) -> None:
    gate = EventContract()

    assert gate.max_depth == 64
    assert validate_file(tmp_path, EXACT).accepted == validate_file(tmp_path, EXACT).accepted

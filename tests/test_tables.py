"""Parquet exports and frames as records."""

import json
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from sequen_dagster.exports.tables import chunks_of_rows
from support.builders import chunks_of, refused_as, validate_file


def texts(tmp_path: Path, content: str | bytes, name: str = "a.csv", **limits: int) -> list[Any]:
    chunks, _ = chunks_of(tmp_path, content, name, **limits)
    return [json.loads(text) for chunk in chunks for text in chunk.texts]


def parquet(tmp_path: Path, **columns: pa.Array) -> bytes:
    path = tmp_path / "source.parquet"
    pq.write_table(pa.table(columns), path)
    content = path.read_bytes()
    path.unlink()
    return content


def test_parquet_values_keep_their_text(tmp_path: Path) -> None:
    at = datetime(2025, 7, 14, 9, 15, 22, 401000)
    content = parquet(
        tmp_path,
        us=pa.array([at]),
        zoned=pa.array([at.replace(tzinfo=UTC)], pa.timestamp("ms", tz="Europe/Berlin")),
        ns=pa.array([1_752_484_522_401_000_999], pa.timestamp("ns")),
        far=pa.array([2**62], pa.timestamp("us")),
        day=pa.array([date(2025, 7, 14)]),
        money=pa.array([Decimal("1.10")], pa.decimal128(38, 2)),
        big=pa.array([9007199254740993]),
        single=pa.array([0.1], pa.float32()),
        nan=pa.array([float("nan")]),
        infinite=pa.array([float("inf")]),
        none=pa.array([None], pa.string()),
        items=pa.array([["a", None]]),
        geo=pa.array([{"city": "Bern"}]),
        raw=pa.array([b"text"]),
        coded=pa.array(["x"]).dictionary_encode(),
        yes=pa.array([True]),
    )

    assert texts(tmp_path, content, "a.parquet") == [
        {
            "us": "2025-07-14T09:15:22.401000",
            "zoned": "2025-07-14T11:15:22.401+0200",
            "ns": "2025-07-14T09:15:22.401000",
            "far": "<value out of range: 4611686018427387904>".replace(" ", "T", 1),
            "day": "2025-07-14",
            "money": 1.1,
            "big": 9007199254740993,
            "single": 0.1,
            "infinite": "inf",
            "items": ["a", None],
            "geo": {"city": "Bern"},
            "raw": "text",
            "coded": "x",
            "yes": True,
        }
    ]


def test_parquet_rows_are_validated_and_numbered(tmp_path: Path) -> None:
    at = pa.array([datetime(2025, 7, 14, 9, 15, 22, tzinfo=UTC)] * 2, pa.timestamp("us", "UTC"))
    content = parquet(
        tmp_path,
        type=pa.array(["impression", "impression"]),
        original_timestamp=at,
        uid=pa.array([1, 2]),
        item_id=pa.array(["a", None]),
        rank=pa.array([3, 4], pa.int8()),
        price=pa.array([Decimal("1.10")] * 2),
    )
    verdict = validate_file(tmp_path, content, "renamed.jsonl")

    assert verdict.file_format == "parquet"
    assert verdict.places == [(1, 1)]
    assert verdict.bad_places == [(2, 1, "missing_item_id")]
    row = verdict.accepted[0]
    assert (row["uid"], row["rank"], row["properties"]) == ("1", 3, '{"price":1.10}')
    assert row["original_timestamp"] == datetime(2025, 7, 14, 9, 15, 22)


@pytest.mark.bad_input(16)
def test_parquet_of_wrong_types_is_quarantined_by_row(tmp_path: Path) -> None:
    content = parquet(
        tmp_path,
        type=pa.array([1.5]),
        original_timestamp=pa.array([True]),
        uid=pa.array([{"a": 1}]),
    )

    assert validate_file(tmp_path, content).rules == [
        ["invalid_original_timestamp", "invalid_type", "invalid_uid"]
    ]


def test_parquet_text_that_is_not_utf8_is_one_bad_row(tmp_path: Path) -> None:
    text = pa.array([b"ok", b"\xff"]).view(pa.string())
    verdict = validate_file(tmp_path, parquet(tmp_path, note=text), "a.parquet")

    assert verdict.bad_places[1] == (2, 1, "bad_encoding")


@pytest.mark.bad_input(15)
def test_cut_parquet_is_corrupt(tmp_path: Path) -> None:
    content = parquet(tmp_path, type=pa.array(["scroll"] * 100))

    for cut in (content[: len(content) // 2], content[:-4], b"PAR1", content[:40] + content[60:]):
        assert refused_as(tmp_path, cut, "a.parquet") == "corrupt_parquet"


@pytest.mark.bad_input(24)
def test_parquet_of_endless_rows_is_too_compressed(tmp_path: Path) -> None:
    indices = pa.array(np.zeros(70_000_000, np.int8))
    column = pa.DictionaryArray.from_arrays(indices, ["scroll"])

    assert refused_as(tmp_path, parquet(tmp_path, type=column)) == "too_compressed"


def test_many_rows_make_many_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sequen_dagster.exports.records.CHUNK_RECORDS", 2)
    chunks = list(chunks_of_rows({"a": number} for number in range(5)))

    assert [chunk.lines for chunk in chunks] == [[1, 2], [3, 4], [5]]

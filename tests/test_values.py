"""Values of typed columns in the forms that JSON has."""

import json
from collections.abc import Callable
from datetime import date, datetime, time, timedelta, timezone
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID

import msgspec
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sequen_dagster.contract import EventContract
from sequen_dagster.exports.values import plain_object, plain_values
from support.builders import chunks_of

AT = datetime(2025, 7, 14, 9, 15, 22, 401000)
UTC_TEXT = "2025-07-14T09:15:22.401000Z"


def as_json(values: list[Any]) -> str:
    return msgspec.json.Encoder(decimal_format="number").encode(values).decode()


LEAVES: dict[str, tuple[pa.Array, str]] = {
    "bool": (pa.array([True, None]), "[true,null]"),
    "int8": (pa.array([-128], pa.int8()), "[-128]"),
    "int64": (pa.array([9007199254740993, -(2**63)]), "[9007199254740993,-9223372036854775808]"),
    "uint64": (pa.array([2**64 - 1, None], pa.uint64()), "[18446744073709551615,null]"),
    "float16": (pa.array([0.5, 65504, float("nan")], pa.float16()), "[0.5,65504.0,null]"),
    "float32": (pa.array([0.1, float("-inf")], pa.float32()), '[0.1,"-inf"]'),
    "float64": (pa.array([0.1, float("nan"), float("inf")]), '[0.1,null,"inf"]'),
    "decimal": (pa.array([Decimal("1.10"), None], pa.decimal128(38, 2)), "[1.10,null]"),
    "decimal-small": (pa.array([Decimal("1E-9"), 0], pa.decimal128(18, 9)),
        "[0.000000001,0.000000000]"),
    "decimal-large": (pa.array([Decimal(10**40)], pa.decimal256(50, 0)), f"[{10**40}]"),
    "decimal-tens": (pa.array([Decimal(1200)], pa.decimal128(5, -2)), "[1200]"),
    "string": (pa.array(["a", "", None]), '["a","",null]'),
    "string-view": (pa.array(["a"], pa.string_view()), '["a"]'),
    "date32": (pa.array([date(2025, 7, 14)]), '["2025-07-14"]'),
    "date64": (pa.array([date(2025, 7, 14)], pa.date64()), '["2025-07-14"]'),
    "time-ms": (pa.array([time(9, 15, 22, 401000)], pa.time32("ms")), '["09:15:22.401"]'),
    "time-ns": (pa.array([33_322_401_000_999], pa.time64("ns")), '["09:15:22.401000999"]'),
    "timestamp-s": (pa.array([AT.replace(microsecond=0)], pa.timestamp("s")),
        '["2025-07-14T09:15:22"]'),
    "timestamp": (pa.array([AT, None]), '["2025-07-14T09:15:22.401000",null]'),
    "timestamp-ns": (pa.array([1_752_484_522_401_000_999], pa.timestamp("ns")),
        '["2025-07-14T09:15:22.401000"]'),
    "timestamp-utc": (pa.array([AT], pa.timestamp("us", "UTC")), f'["{UTC_TEXT}"]'),
    "timestamp-zone": (pa.array([AT], pa.timestamp("ms", "Europe/Berlin")),
        '["2025-07-14T11:15:22.401+0200"]'),
    "timestamp-no-zone": (pa.array([AT], pa.timestamp("us", "Mars/Base")), f'["{UTC_TEXT}"]'),
    "duration": (pa.array([timedelta(days=1, seconds=3, microseconds=5), None]),
        '["P1DT3.000005S",null]'),
    "duration-ns": (pa.array([1, 0, -86_400_000_000_000], pa.duration("ns")),
        '["PT0.000000001S","P0D","-P1D"]'),
    "duration-s": (pa.array([10**17], pa.duration("s")), '["P1157407407407DT35200S"]'),
    "binary": (pa.array([b"text", b"a\tb\r\n", "ü型".encode(), b"", None]),
        '["text","a\\tb\\r\\n","ü型","",null]'),
    "binary-hex": (pa.array([b"\x00", b"\xff\xFE", b"a\x1f", b"\x7f", "\x85".encode()]),
        '["00","fffe","611f","7f","c285"]'),
    "large-binary": (pa.array([b"\xc3"], pa.large_binary()), '["c3"]'),
    "binary-view": (pa.array([b"\xc3", b"a"], pa.binary_view()), '["c3","a"]'),
    "fixed-size-binary": (pa.array([b"abcd", b"\xff\xfe\xfd\xfc"], pa.binary(4)),
        '["abcd","fffefdfc"]'),
    "uuid": (pa.array([UUID(int=1).bytes, None], pa.uuid()),
        '["00000000-0000-0000-0000-000000000001",null]'),
    "json": (pa.array(['{"a": 1}'], pa.json_()), '["{\\"a\\": 1}"]'),
    "null": (pa.nulls(2), "[null,null]"),
    "coded": (pa.array(["x", None, "x"]).dictionary_encode(), '["x",null,"x"]'),
    "coded-bytes": (pa.array([b"\xff", b"x"]).dictionary_encode(), '["ff","x"]'),
    "coded-times": (pa.array([AT]).dictionary_encode(), '["2025-07-14T09:15:22.401000"]'),
    "runs": (pa.RunEndEncodedArray.from_arrays([2, 3], pa.array([b"\xff", None])),
        '["ff","ff",null]'),
}  # fmt: skip
MAPS: dict[str, tuple[pa.DataType, list[tuple[Any, Any]], str]] = {
    "text": (pa.string(), [("a", 1), ("b", None)], '{"a":1}'),
    "twice": (pa.string(), [("a", 1), ("a", 2)], '{"a":2}'),
    "integer": (pa.int32(), [(-1, 1)], '{"-1":1}'),
    "boolean": (pa.bool_(), [(True, 1)], '{"true":1}'),
    "float": (pa.float32(), [(0.1, 1)], '{"0.1":1}'),
    "decimal": (pa.decimal128(9, 8), [(Decimal("1E-8"), 1)], '{"0.00000001":1}'),
    "date": (pa.date32(), [(date(2025, 7, 14), 1)], '{"2025-07-14":1}'),
    "time": (pa.timestamp("us", "UTC"), [(AT, 1)], f'{{"{UTC_TEXT}":1}}'),
    "bytes": (pa.binary(), [(b"\xff", 1), (b"a", 2)], '{"ff":1,"a":2}'),
    "struct": (pa.struct({"a": pa.int8()}), [({"a": 1}, 1)], '{"{\\"a\\":1}":1}'),
    "list": (pa.list_(pa.int8()), [([1, 2], 1)], '{"[1,2]":1}'),
    "none": (pa.string(), [], "{}"),
}
WRAPPERS: dict[str, tuple[Callable[[pa.DataType], pa.DataType], Callable[[Any], Any]]] = {
    "list": (pa.list_, lambda value: [value]),
    "large-list": (pa.large_list, lambda value: [value]),
    "fixed-list": (lambda kind: pa.list_(kind, 1), lambda value: [value]),
    "list-view": (pa.list_view, lambda value: [value]),
    "large-list-view": (pa.large_list_view, lambda value: [value]),
    "map": (lambda kind: pa.map_(pa.string(), kind), lambda value: [("k", value)]),
    "struct": (lambda kind: pa.struct({"k": kind}), lambda value: {"k": value}),
}


@pytest.mark.parametrize("name", LEAVES)
def test_value_is_the_text_of_its_type(name: str) -> None:
    column, text = LEAVES[name]

    assert as_json(plain_values(column)) == text


@pytest.mark.parametrize("name", LEAVES)
def test_part_of_a_column_is_that_part(name: str) -> None:
    column, text = LEAVES[name]

    assert as_json(plain_values(column[1:])) == json_tail(text)
    assert plain_values(column[:0]) == []


def json_tail(text: str) -> str:
    parts = msgspec.json.decode(text, type=list[msgspec.Raw])
    return as_json(parts[1:])


@pytest.mark.parametrize("name", MAPS)
def test_map_is_an_object_with_text_keys(name: str) -> None:
    kind, pairs, text = MAPS[name]
    column = pa.array([None, pairs, [], pairs], pa.map_(kind, pa.int64()))

    assert as_json(plain_values(column)) == f"[null,{text},{{}},{text}]"
    assert as_json(plain_values(column[2:])) == f"[{{}},{text}]"


# Within another type Arrow does not make these.
CODED = {"coded", "coded-bytes", "coded-times", "runs"}


@pytest.mark.parametrize("name", sorted(set(LEAVES) - CODED))
@pytest.mark.parametrize("wrapper", WRAPPERS)
def test_nested_value_is_the_same(name: str, wrapper: str) -> None:
    wrap_kind, _ = WRAPPERS[wrapper]
    column, text = LEAVES[name]
    kind = wrap_kind(column.type)
    values = msgspec.json.decode(text, type=list[msgspec.Raw])
    rows = plain_values(wrapped(column, kind))

    assert as_json(rows) == as_json([within(kind, value) for value in values])


def wrapped(column: pa.Array, kind: pa.DataType) -> pa.Array:
    """Every value of a column in a list, map or struct of its own."""
    size = len(column)
    offsets = list(range(size + 1))
    if pa.types.is_struct(kind):
        return pa.StructArray.from_arrays([column], ["k"])
    if pa.types.is_map(kind):
        return pa.MapArray.from_arrays(offsets, pa.array(["k"] * size), column)
    if pa.types.is_fixed_size_list(kind):
        return pa.FixedSizeListArray.from_arrays(column, 1)
    if pa.types.is_list_view(kind):
        return pa.ListViewArray.from_arrays(offsets[:-1], [1] * size, column)
    if pa.types.is_large_list_view(kind):
        return pa.LargeListViewArray.from_arrays(offsets[:-1], [1] * size, column)
    if pa.types.is_large_list(kind):
        return pa.LargeListArray.from_arrays(offsets, column)
    return pa.ListArray.from_arrays(offsets, column)


def within(kind: pa.DataType, value: msgspec.Raw) -> Any:
    if pa.types.is_struct(kind) or pa.types.is_map(kind):
        return {} if bytes(value) == b"null" else {"k": value}
    return [value]


def test_absent_stays_in_lists_and_leaves_objects() -> None:
    column = pa.array([{"a": None, "b": [None, 1.5, float("nan")], "c": {"d": None}}, None])

    assert plain_values(column) == [{"b": [None, 1.5, None], "c": {}}, None]


def test_parent_that_is_null_hides_its_children() -> None:
    hidden = pa.StructArray.from_arrays([pa.array([1, 2])], ["a"], mask=pa.array([True, False]))
    lists = pa.ListArray.from_arrays([0, 1, 2], pa.array([1, 2]), mask=pa.array([True, False]))
    maps = pa.MapArray.from_arrays(
        [0, 1, 2], ["a", "b"], pa.array([1, 2]), mask=pa.array([True, False])
    )

    assert plain_values(hidden) == [None, {"a": 2}]
    assert plain_values(lists) == [None, [2]]
    assert plain_values(maps) == [None, {"b": 2}]


def test_text_that_is_not_utf8_costs_its_row(tmp_path: Path) -> None:
    text = pa.array([[b"ok"], [b"\xff"], [b"fine"]], pa.list_(pa.binary())).cast(
        pa.list_(pa.binary())
    )
    broken = pa.ListArray.from_arrays(text.offsets, text.values.view(pa.string()))
    pq.write_table(pa.table({"uid": ["a", "b", "c"], "tags": broken}), tmp_path / "source")
    chunks, _ = chunks_of(tmp_path, (tmp_path / "source").read_bytes(), "a.parquet")

    assert [chunk.lines for chunk in chunks] == [[1, 3]]
    assert [(one.line, one.rule) for one in chunks[0].unreadable] == [(2, "bad_encoding")]


def test_of_a_name_that_stands_twice_the_last_present_counts(tmp_path: Path) -> None:
    table = pa.Table.from_arrays(
        [pa.array(["a", "b"]), pa.array(["c", None])], names=["uid", "uid"]
    )
    pq.write_table(table, tmp_path / "source")
    chunks, _ = chunks_of(tmp_path, (tmp_path / "source").read_bytes(), "a.parquet")

    assert chunks[0].texts == [b'{"uid":"c"}', b'{"uid":"b"}']


def test_int96_is_a_time_like_any_other(tmp_path: Path) -> None:
    table = pa.table({"at": pa.array([AT], pa.timestamp("ns"))})
    pq.write_table(table, tmp_path / "source", use_deprecated_int96_timestamps=True)
    chunks, _ = chunks_of(tmp_path, (tmp_path / "source").read_bytes(), "a.parquet")

    assert chunks[0].texts == [b'{"at":"2025-07-14T09:15:22.401000"}']


@pytest.mark.parametrize("kind", ["arrow", "polars", "pandas", "pandas-objects"])
def test_frame_is_read_as_a_file_is(kind: str) -> None:
    rows: dict[str, list[Any]] = {
        "type": ["scroll", "scroll"],
        "uid": [b"u1", b"\xff\xfe"],
        "original_timestamp": [AT, AT],
        "page": [{"seen": b"\x00", "tags": [b"a", None]}, {"seen": b"ok", "tags": []}],
    }
    if kind == "pandas-objects":
        rows["mixed"] = [1, b"x"]
    frames: dict[str, Any] = {
        "arrow": lambda: pa.table(rows),
        "polars": lambda: pl.DataFrame(rows),
    }
    frame = frames.get(kind, lambda: pd.DataFrame(rows))()
    accepted = pl.DataFrame(EventContract().validate(frame).accepted)

    assert accepted["uid"].to_list() == ["u1", "fffe"]
    assert accepted["original_timestamp"].to_list() == [AT, AT]
    pages = [json.loads(text)["page"] for text in accepted["properties"]]
    assert pages == [{"seen": "00", "tags": ["a", None]}, {"seen": "ok", "tags": []}]


@pytest.mark.parametrize(
    ("value", "plain"),
    [
        (None, None), (True, True), (2**70, Decimal(2**70)), (float("nan"), None),
        (float("inf"), "inf"), (Decimal("NaN"), None), (pd.NaT, None), (pd.NA, None),
        (b"\xff", "ff"), (date(2025, 7, 14), "2025-07-14"), ((1, b"a"), [1, "a"]),
        (AT.replace(tzinfo=timezone(timedelta(hours=2))), "2025-07-14T09:15:22.401000+02:00"),
        ({None: 1, "a": None, 1.5: 2}, {"null": 1, "1.5": 2}),
    ],
    ids=str,
)  # fmt: skip
def test_python_object_is_plain(value: object, plain: object) -> None:
    assert plain_object(value) == plain


SCALARS = st.none() | st.integers(-(2**63), 2**63 - 1)
NESTED: st.SearchStrategy[tuple[pa.DataType, st.SearchStrategy[Any]]] = st.recursive(
    st.sampled_from([
        (pa.int64(), SCALARS),
        (pa.binary(), st.none() | st.binary(max_size=4)),
        (pa.string(), st.none() | st.text(max_size=4)),
    ]),
    lambda inner: st.one_of(
        inner.map(lambda one: (pa.list_(one[0]), st.none() | st.lists(one[1], max_size=3))),
        inner.map(lambda one: (pa.large_list(one[0]), st.none() | st.lists(one[1], max_size=3))),
        inner.map(lambda one: (
            pa.struct({"a": one[0], "b": pa.int64()}),
            st.none() | st.fixed_dictionaries({"a": one[1], "b": SCALARS}))),
        inner.map(lambda one: (
            pa.map_(pa.string(), one[0]),
            st.none() | st.dictionaries(st.text(max_size=2), one[1], max_size=3))),
    ),
    max_leaves=4,
)  # fmt: skip


@settings(deadline=None, max_examples=150)
@given(st.data())
def test_any_nested_column_reads_as_its_objects(data: st.DataObject) -> None:
    kind, values = data.draw(NESTED)
    rows = data.draw(st.lists(values, min_size=1, max_size=6))
    begin = data.draw(st.integers(0, len(rows)))
    column = pa.array([as_arrow(row, kind) for row in rows], kind)

    assert plain_values(column[begin:]) == [plain_object(row) for row in rows[begin:]]


def as_arrow(value: Any, kind: pa.DataType) -> Any:
    """A value as Arrow takes it: maps as pairs."""
    if value is None or not pa.types.is_nested(kind):
        return value
    if pa.types.is_struct(kind):
        return {field.name: as_arrow(value[field.name], field.type) for field in kind}
    if pa.types.is_map(kind):
        return [(key, as_arrow(one, kind.item_type)) for key, one in value.items()]
    return [as_arrow(one, kind.value_type) for one in value]

"""Columns of cells become typed columns, the same as `scalars` makes of each cell."""

from datetime import datetime, timedelta
from decimal import Decimal

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sequen_dagster.absence import is_blank
from sequen_dagster.contract import scalars
from sequen_dagster.contract.convert import (
    ABSENT,
    COERCED,
    GIVEN,
    PLACEHOLDER,
    UNREADABLE,
    cells,
    convert,
    state_of,
)
from sequen_dagster.contract.scalars import OTHER
from sequen_dagster.fields import FIELD_NAMES

DIGITS = st.from_regex(r"\A-?(0|[1-9][0-9]{0,19})(\.[0-9]{1,8})?([eE][+-]?[0-9]{1,3})?\Z")
TIMES = st.from_regex(
    r"\A[0-2][0-9]{3}-[01][0-9]-[0-3][0-9]([Tt ][0-2][0-9]:[0-6][0-9](:[0-6][0-9]"
    r"(\.[0-9]{1,9})?)?)?(Z|z| UTC|[+-][0-2][0-9]:?[0-6][0-9])?\Z"
)
OTHERS = st.sampled_from(["null", "[]", "{}", "true", '["a"]', '["a",7]', "[null]", "[1.5]"])
ANYTHING = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=6)
BLANK = st.sampled_from(["", " ", "\t\u3000", "\x1f", "\u200b"])
CELLS = (
    DIGITS | TIMES | ANYTHING | BLANK | (DIGITS | OTHERS).map(lambda json: OTHER + json)
) | st.none()  # fmt: skip


def converted(field: str, values: list[str | None]) -> list[tuple[object, int]]:
    empty = [None] * len(values)
    columns = dict.fromkeys(FIELD_NAMES, empty) | {field: values}
    frame = convert(pl.DataFrame(columns, schema=dict.fromkeys(FIELD_NAMES, pl.String)))
    return list(zip(frame[field].to_list(), frame[state_of(field)].to_list(), strict=True))


def is_absent(cell: str | None) -> bool:
    return cell is None or cell in (OTHER + "null", OTHER + "[]") or (
        not cell.startswith(OTHER) and is_blank(cell)
    )  # fmt: skip


@settings(deadline=None)
@given(values=st.lists(CELLS, min_size=1, max_size=8))
@pytest.mark.parametrize(
    ("field", "scalar"),
    [
        ("original_timestamp", scalars.timestamp),
        ("rank", scalars.rank),
        ("dwell_ms", scalars.dwell),
        ("rec_id", scalars.string),
    ],
)
def test_columns_equal_cells(field: str, scalar: object, values: list[str | None]) -> None:
    for cell, (value, state) in zip(values, converted(field, values), strict=True):
        expected = None if cell is None or is_absent(cell) else scalar(cell)  # type: ignore[operator]  # one of four functions
        assert value == expected
        assert (state == ABSENT) == is_absent(cell)
        assert (state == UNREADABLE) == (not is_absent(cell) and expected is None)


@pytest.mark.parametrize(
    ("text", "time"),
    [
        ("2025-07-14", "2025-07-14T00:00:00"),
        ("2025-07-14T09:15", "2025-07-14T09:15:00"),
        ("2025-07-14t09:15:22z", "2025-07-14T09:15:22"),
        ("2025-07-14 09:15:22 UTC", "2025-07-14T09:15:22"),
        ("2025-07-14T09:15:22.4Z", "2025-07-14T09:15:22.400000"),
        ("2025-07-14T09:15:22.4019999999Z", "2025-07-14T09:15:22.401999"),
        ("2025-07-14T09:15:22+02:00", "2025-07-14T07:15:22"),
        ("2025-07-14T09:15:22.1-0530", "2025-07-14T14:45:22.100000"),
        ("2025-07-14+02:00", "2025-07-13T22:00:00"),
        ("2025-07-14Z", "2025-07-14T00:00:00"),
        ("2024-02-29T23:59:59+23:59", "2024-02-29T00:00:59"),
        ("1752484522", "2025-07-14T09:15:22"),
        ("1752484522.4019999999", "2025-07-14T09:15:22.401999"),
        ("1752484522401", "2025-07-14T09:15:22.401000"),
        ("1752484522401.0009", "2025-07-14T09:15:22.401000"),
        ("1752484522401000", "2025-07-14T09:15:22.401000"),
        ("1752484522401000999", "2025-07-14T09:15:22.401000"),
        ("99999999999", "5138-11-16T09:46:39"),
        ("100000000000", "1973-03-03T09:46:40"),
        ("99999999999999", "5138-11-16T09:46:39.999000"),
        ("100000000000000", "1973-03-03T09:46:40"),
        ("99999999999999999", "5138-11-16T09:46:39.999999"),
        ("100000000000000000", "1973-03-03T09:46:40"),
        ("0", "1970-01-01T00:00:00"),
    ],
)
def test_time_is_read(text: str, time: str) -> None:
    value = datetime.fromisoformat(time)

    assert converted("original_timestamp", [text]) == [(value, GIVEN)]
    assert scalars.timestamp(text) == value


@pytest.mark.parametrize(
    "text",
    ["2024-02-30", "2025-W29-1", "2025-195", "2025-07-14T24:00:00", "2025-7-14",
     "2025-07-14T09:15:60Z", "2025-07-14T09:15:22,4Z", "2025-07-14T09", "2025-07-14T0915",
     "2025-07-14  09:15", "2025-07-14T09:15:22.Z", "2025-07-14T09:15:22 Z", "2025-07-14T09:15utc",
     "2025-07-14T09:15:22+2", "2025-07-14T09:15:22+24:00", "2025-07-14T09:15:22+02:60",
     "2025-07-14T", " 2025-07-14", "2025-07-14\n", "01/02/2024", "+2025-07-14", "-5", "1e9", "1.",
     ".5", "1,5", "\u0661\u0662\u0663", "0001-01-01T00:00:00+01:00", "9999-12-31T23:59:59-01:00"],
)  # fmt: skip
def test_time_is_refused(text: str) -> None:
    assert converted("original_timestamp", [text]) == [(None, UNREADABLE)]
    assert scalars.timestamp(text) is None


def test_exponents_are_read_of_numbers_only() -> None:
    assert scalars.timestamp(OTHER + "1.752484522e9") == datetime(2025, 7, 14, 9, 15, 22)
    assert scalars.timestamp("1.752484522e9") is None
    assert scalars.timestamp(OTHER + "1e999999999999999999") is None
    assert scalars.dwell(OTHER + "0e999999999999999999") == 0


def test_states_tell_what_happened() -> None:
    assert [state for _, state in converted("uid", ["u", "Null", " ", OTHER + "7", OTHER + "1.5"])
            ] == [GIVEN, PLACEHOLDER, ABSENT, COERCED, UNREADABLE]  # fmt: skip
    assert [state for _, state in converted("type", ["u", "Null", OTHER + "7"])] == [
        GIVEN, GIVEN, UNREADABLE]  # fmt: skip


@pytest.mark.parametrize(
    ("cell", "texts"),
    [('["a","b","a"]', ["a", "b", "a"]), ('["a",9007199254740993]', ["a", "9007199254740993"]),
     ("[-0]", ["0"]), ('["\\ud83d\\ude00"]', ["\U0001f600"]),
     ("[" + "1" * 5000 + "]", ["1" * 5000])],
)  # fmt: skip
def test_item_ids_are_texts(cell: str, texts: list[str]) -> None:
    found = scalars.item_ids(OTHER + cell)

    assert found is not None
    assert found[0] == texts


def test_item_ids_as_text_are_read_in_csv_only() -> None:
    assert scalars.item_ids(' ["a"] ', is_text_format=True) == (["a"], False)
    assert scalars.item_ids('["a"]') is None
    assert scalars.item_ids('["\\ud800"]', is_text_format=True) is None
    assert scalars.item_ids("[" * 100_000, is_text_format=True) is None


def test_values_become_cells() -> None:
    values = ["a", None, "a\0b", 7, 10**22, True, ["x"], {"k": 1}]

    assert cells(values).to_list() == [
        "a", None, "\0{}", "\x007", "\x0010000000000000000000000", "\0true", '\0["x"]', '\0{"k":1}'
    ]  # fmt: skip
    assert cells([1, None, 10**22]).to_list() == ["\x001", None, f"\0{10**22}"]
    assert cells([1, None]).to_list() == ["\x001", None]


def test_offset_arithmetic_is_exact() -> None:
    base = datetime(2025, 7, 14)
    texts = [f"2025-07-14T00:00:00{sign}{hours:02}:30" for sign in "+-" for hours in range(24)]
    offsets = [timedelta(hours=hours, minutes=30) for hours in range(24)]

    values = [value for value, _ in converted("server_timestamp", texts)]
    assert values == [base - offset for offset in offsets] + [base + offset for offset in offsets]


def test_money_like_numbers_stay_decimal() -> None:
    assert converted("dwell_ms", ["1.005", OTHER + "0.1"]) == [
        (Decimal("1.005"), COERCED), (Decimal("0.1"), GIVEN)]  # fmt: skip

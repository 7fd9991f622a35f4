"""Columns of raw values become typed columns, as `scalars` converts each raw value."""

from datetime import datetime, timedelta
from decimal import Decimal

import msgspec
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sequen_dagster.contract import scalars
from sequen_dagster.contract.convert import (
    ABSENT,
    COERCED,
    GIVEN,
    LEFT_OUT,
    PLACEHOLDER,
    UNREADABLE,
    ZERO_TIME,
    convert,
    state_of,
    to_raw_values,
)
from sequen_dagster.contract.placeholders import DEFAULT
from sequen_dagster.contract.scalars import NOT_TEXT
from sequen_dagster.fields import FIELD_NAMES
from sequen_dagster.settings.absence import ANONYMOUS_WORDS, NONE_WORDS, is_blank

DIGITS = st.from_regex(r"\A-?(0|[1-9][0-9]{0,19})(\.[0-9]{1,8})?([eE][+-]?[0-9]{1,3})?\Z")
ZONES = st.from_regex(
    r"\A(Z|z| UTC|Z\[UTC\]| ?[+-][0-2][0-9](:?[0-6][0-9])?( UTC|\[[A-Z/+:.1-9]{1,9}\])?)?\Z"
)
DAYS = st.from_regex(r"\A[0-29][0-9]{3}-[01][0-9]-[0-3][0-9]\Z") | st.sampled_from(
    ["0001-01-01", "0000-00-00", "1970-01-01", "9999-12-31", "9998-12-31", "1969-12-31"]
)
CLOCKS = st.from_regex(r"\A[Tt ][0-2][0-9]:[0-6][0-9](:[0-6][0-9](\.[0-9]{1,9})?)?\Z") | (
    st.sampled_from(["", "T00:00:00", " 00:00", "T00:00:00.0000000", "T23:59:59", "T01:00:00"])
)
TIMES = st.builds("{}{}{}".format, DAYS, CLOCKS, ZONES)
OTHERS = st.sampled_from(["null", "[]", "{}", "true", '["a"]', '["a",7]', "[null]", "[1.5]"])
ANYTHING = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=6)
BLANK = st.sampled_from(["", " ", "\t\u3000", "\x1f", "\u200b"])
RAW_VALUES = (
    DIGITS | TIMES | ANYTHING | BLANK | (DIGITS | OTHERS).map(lambda json: NOT_TEXT + json)
) | st.none()  # fmt: skip


DECODER = msgspec.json.Decoder(float_hook=msgspec.Raw)
WORDS = st.sampled_from(
    [word.upper() for word in (*NONE_WORDS, *ANONYMOUS_WORDS)]
    + [NOT_TEXT + literal for literal in ("0", "-0", "-1", "0.0", "1", "true", "false", '["nil"]')]
)


def as_parsed(raw_value: str) -> object:
    """The value that a raw value was made of."""
    return DECODER.decode(raw_value[1:]) if raw_value[0] == NOT_TEXT else raw_value


def converted(field: str, values: list[str | None]) -> list[tuple[object, int]]:
    empty = [None] * len(values)
    columns = dict.fromkeys(FIELD_NAMES, empty) | {field: values}
    frame = convert(pl.DataFrame(columns, schema=dict.fromkeys(FIELD_NAMES, pl.String)))
    return list(zip(frame[field].to_list(), frame[state_of(field)].to_list(), strict=True))


def is_absent(raw_value: str | None) -> bool:
    return raw_value is None or raw_value in (NOT_TEXT + "null", NOT_TEXT + "[]") or (
        not raw_value.startswith(NOT_TEXT) and is_blank(raw_value)
    )  # fmt: skip


@settings(deadline=None)
@given(values=st.lists(RAW_VALUES, min_size=1, max_size=8))
@pytest.mark.parametrize(
    ("field", "scalar"),
    [
        ("original_timestamp", scalars.read_timestamp),
        ("rank", scalars.read_rank),
        ("dwell_ms", scalars.read_dwell),
        ("item_id_relation", scalars.read_string),
    ],
)
def test_columns_convert_as_single_raw_values_do(
    field: str, scalar: object, values: list[str | None]
) -> None:
    for raw_value, (value, state) in zip(values, converted(field, values), strict=True):
        expected = None if raw_value is None or is_absent(raw_value) else scalar(raw_value)  # type: ignore[operator]  # one of four functions
        assert value == expected
        assert (state == ABSENT) == is_absent(raw_value)
        assert (state == UNREADABLE) == (not is_absent(raw_value) and expected is None)


@settings(deadline=None)
@given(values=st.lists(RAW_VALUES, min_size=1, max_size=8))
def test_columns_of_optional_times_convert_as_single_raw_values_do(
    values: list[str | None],
) -> None:
    required = converted("original_timestamp", values)
    for raw_value, (value, state), before in zip(
        values, converted("server_timestamp", values), required, strict=True
    ):
        if raw_value is not None and scalars.is_zero_time(raw_value):
            assert (value, state) == (None, ZERO_TIME)
        else:
            assert (value, state) == before


@settings(deadline=None)
@given(values=st.lists(RAW_VALUES | WORDS, min_size=1, max_size=8))
@pytest.mark.parametrize("field", ["uid", "rec_id"])
def test_columns_of_ids_convert_as_single_raw_values_do(
    field: str, values: list[str | None]
) -> None:
    plain = converted("item_id_relation", values)
    for raw_value, (value, state), before in zip(
        values, converted(field, values), plain, strict=True
    ):
        is_word = (
            raw_value is not None
            and not is_absent(raw_value)
            and DEFAULT.has(field, as_parsed(raw_value))
        )
        assert (value, state) == ((None, PLACEHOLDER) if is_word else before)


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
        ("2025-07-14 09:15:22+00", "2025-07-14T09:15:22"),
        ("2025-07-14 09:15:22.123+05:30", "2025-07-14T03:45:22.123000"),
        ("2025-07-14 09:15:22-03", "2025-07-14T12:15:22"),
        ("2025-07-14 09:15:22.000 +0000", "2025-07-14T09:15:22"),
        ("2025-07-14 09:15:22 -0800 UTC", "2025-07-14T17:15:22"),
        ("2025-07-14T09:15:22 +02", "2025-07-14T07:15:22"),
        ("2025-07-14T09:15+02:00 UTC", "2025-07-14T07:15:00"),
        ("2025-07-14 09:15-03", "2025-07-14T12:15:00"),
        ("2025-07-14T09:15:22Z[UTC]", "2025-07-14T09:15:22"),
        ("2025-07-14T09:15Z[Etc/UTC]", "2025-07-14T09:15:00"),
        ("2025-07-14T09:15:22.401+02:00[Europe/Berlin]", "2025-07-14T07:15:22.401000"),
        ("2025-07-14T09:15:22+02:00[No.9-05:00]", "2025-07-14T07:15:22"),
        ("2025-07-14T09:15:22Z[No.9]", "2025-07-14T09:15:22"),
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
    assert scalars.read_timestamp(text) == value


@pytest.mark.parametrize(
    "text",
    ["2024-02-30", "2025-W29-1", "2025-195", "2025-07-14T24:00:00", "2025-7-14",
     "2025-07-14T09:15:60Z", "2025-07-14T09:15:22,4Z", "2025-07-14T09", "2025-07-14T0915",
     "2025-07-14  09:15", "2025-07-14T09:15:22.Z", "2025-07-14T09:15:22 Z", "2025-07-14T09:15utc",
     "2025-07-14+02:00", "2025-07-14Z", "2025-07-14 UTC", "2025-07-14 +00",
     "2025-07-14T09:15:22  +00", "2025-07-14T09:15:22+00  UTC", "2025-07-14T09:15:22+00UTC",
     "2025-07-14T09:15:22+00:", "2025-07-14T09:15:22+000", "2025-07-14T09:15:22[UTC]",
     "2025-07-14T09:15:22 UTC[UTC]", "2025-07-14T09:15:22+00[]", "2025-07-14T09:15:22+00[a][b]",
     "2025-07-14T09:15:22+00 [UTC]", "2025-07-14T09:15:22Z UTC", "2025-07-14T09:15:22+00 GMT",
     "2025-07-14 09:15:22 GMT", "2025-07-14 09:15:22 +0000 +0000", "2025-07-14T09:15:22z[UTC]",
     "2025-07-14T09:15:22+24", "2025-07-14T09:15:22+0060", "2025-07-14T09:15:22 - 03",
     "2025-07-14T09:15:22+2", "2025-07-14T09:15:22+24:00", "2025-07-14T09:15:22+02:60",
     "2025-07-14T", " 2025-07-14", "2025-07-14\n", "01/02/2024", "+2025-07-14", "-5", "1e9", "1.",
     ".5", "1,5", "\u0661\u0662\u0663", "0001-01-01T00:00:00+01:00", "9999-12-31T23:59:59-01:00"],
)  # fmt: skip
def test_time_is_refused(text: str) -> None:
    assert converted("original_timestamp", [text]) == [(None, UNREADABLE)]
    assert scalars.read_timestamp(text) is None


def test_exponents_are_read_of_numbers_only() -> None:
    assert scalars.read_timestamp(NOT_TEXT + "1.752484522e9") == datetime(2025, 7, 14, 9, 15, 22)
    assert scalars.read_timestamp("1.752484522e9") is None
    assert scalars.read_timestamp(NOT_TEXT + "1e999999999999999999") is None
    assert scalars.read_dwell(NOT_TEXT + "0e999999999999999999") == 0


def test_states_distinguish_absent_coerced_and_unreadable() -> None:
    uids = ["u", "Null", " ", NOT_TEXT + "7", NOT_TEXT + "1.5"]
    states = [GIVEN, PLACEHOLDER, ABSENT, COERCED, UNREADABLE]
    assert [state for _, state in converted("uid", uids)] == states
    assert [state for _, state in converted("type", ["u", "Null", NOT_TEXT + "7"])] == [
        GIVEN, GIVEN, UNREADABLE]  # fmt: skip


@pytest.mark.parametrize(
    ("raw_value", "texts"),
    [('["a","b","a"]', ["a", "b", "a"]), ('["a",9007199254740993]', ["a", "9007199254740993"]),
     ("[-0]", ["0"]), ('["\\ud83d\\ude00"]', ["\U0001f600"]),
     ("[" + "1" * 5000 + "]", ["1" * 5000])],
)  # fmt: skip
def test_item_ids_are_texts(raw_value: str, texts: list[str]) -> None:
    found = scalars.read_item_ids(NOT_TEXT + raw_value)

    assert found is not None
    assert found[0] == texts


@pytest.mark.parametrize(
    "raw_value",
    ["0001-01-01", "0000-00-00", "0001-01-01T00:00:00Z", "0000-00-00 00:00:00", "0001-01-01t00:00",
     "0000-00-00T00:00:00.000000000+02:00[Europe/Berlin]", "0001-01-01 00:00:00 +0000 UTC",
     "0001-01-01T00:00:00-05", "1970-01-01", "1970-01-01T01:00:00+01:00", "1969-12-31 19:00-05",
     "1970-01-01T00:00:00.0000009Z", "0", "0.000", "000", NOT_TEXT + "0", NOT_TEXT + "-0",
     NOT_TEXT + "0.0", NOT_TEXT + "0e5",
     "9999-01-01", "9999-12-31T23:59:59Z", "9999-12-31 23:59:59.999999999+00",
     "9999-12-31T23:59:59-01:00", "9999-01-01T00:00:00+01:00", "9998-12-31T23:59:59-01:00"],
)  # fmt: skip
def test_zero_time_is_distinguished_from_a_wrong_one(raw_value: str) -> None:
    assert scalars.is_zero_time(raw_value)
    assert converted("server_timestamp", [raw_value]) == [(None, ZERO_TIME)]
    assert converted("ingest_timestamp", [raw_value]) == [(None, ZERO_TIME)]
    assert converted("original_timestamp", [raw_value])[0][1] in (GIVEN, UNREADABLE)


@pytest.mark.parametrize(
    "raw_value",
    ["0001-01-02", "0001-01-01T00:00:01Z", "0001-01-01Z", "0000-00-00T00:00:00+24:00",
     "0000-01-01", "0000-00-01", "1970-01-01T00:00:00.000001Z", "1970-01-01T00:00:00+01:00", "1",
     "0.000001", "1969-12-31T23:59:59.999999Z", "9998-12-31T23:59:59.999999Z", "9999-02-29",
     "9999-12-31T24:00:00", "9999-99-99", "9999", "zero", NOT_TEXT + "false", NOT_TEXT + "-1"],
)  # fmt: skip
def test_other_time_is_not_a_zero_time(raw_value: str) -> None:
    assert not scalars.is_zero_time(raw_value)
    assert converted("server_timestamp", [raw_value])[0][1] in (GIVEN, UNREADABLE)


def test_words_left_out_of_item_ids_are_flagged() -> None:
    given = [NOT_TEXT + '["a","Null"]', NOT_TEXT + '["(not set)"]', NOT_TEXT + '["a"]', None,
             "[]", NOT_TEXT + '["0", true]', '["undefined",7]']  # fmt: skip
    columns = dict.fromkeys(FIELD_NAMES, [None] * len(given)) | {"item_ids": given}
    frame = convert(pl.DataFrame(columns, schema=dict.fromkeys(FIELD_NAMES, pl.String)))

    assert frame["item_ids"].to_list() == [["a"], None, ["a"], None, None, None, ["7"]]
    assert frame[state_of("item_ids")].to_list() == [
        GIVEN, ABSENT, GIVEN, ABSENT, ABSENT, UNREADABLE, COERCED]  # fmt: skip
    assert frame[LEFT_OUT].to_list() == [True, True, False, False, False, False, True]


def test_item_ids_as_text_are_coerced_but_in_csv() -> None:
    assert scalars.read_item_ids(' ["a"] ', is_text_format=True) == (["a"], False)
    assert scalars.read_item_ids(' ["a"] ') == (["a"], True)
    assert scalars.read_item_ids("a") is None
    assert scalars.read_item_ids('"[]"') is None
    assert scalars.read_item_ids('["\\ud800"]', is_text_format=True) is None
    assert scalars.read_item_ids("[" * 100_000, is_text_format=True) is None


def test_values_become_raw_values() -> None:
    values = ["a", None, "a\0b", 7, 10**22, True, ["x"], {"k": 1}]

    assert to_raw_values(values).to_list() == [
        "a", None, "\0{}", "\x007", "\x0010000000000000000000000", "\0true", '\0["x"]', '\0{"k":1}'
    ]  # fmt: skip
    assert to_raw_values([1, None, 10**22]).to_list() == ["\x001", None, f"\0{10**22}"]
    assert to_raw_values([1, None]).to_list() == ["\x001", None]


def test_offset_arithmetic_is_exact() -> None:
    base = datetime(2025, 7, 14)
    texts = [f"2025-07-14T00:00:00{sign}{hours:02}:30" for sign in "+-" for hours in range(24)]
    offsets = [timedelta(hours=hours, minutes=30) for hours in range(24)]

    values = [value for value, _ in converted("server_timestamp", texts)]
    assert values == [base - offset for offset in offsets] + [base + offset for offset in offsets]


def test_money_like_numbers_stay_decimal() -> None:
    assert converted("dwell_ms", ["1.005", NOT_TEXT + "0.1"]) == [
        (Decimal("1.005"), COERCED), (Decimal("0.1"), GIVEN)]  # fmt: skip

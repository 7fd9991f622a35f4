"""Raw values read one by one; `test_convert` holds columns to them."""

from decimal import Decimal

import pytest

from sequen_dagster.contract.scalars import NOT_TEXT, read_dwell, read_rank, read_string, text_of


@pytest.mark.parametrize(
    ("raw_value", "value"),
    [("0", 0), ("2147483647", 2_147_483_647), ("2147483648", None), ("3.0", 3), ("3.5", None),
     ("-1", None), ("1e2", None), (" 3", None), ("\u0663", None), ("007", 7), ("1" * 400, None),
     (NOT_TEXT + "1e2", 100), (NOT_TEXT + "-0", 0), (NOT_TEXT + "1e999", None),
     (NOT_TEXT + "1e-999", None),
     (NOT_TEXT + "0e999999", 0), (NOT_TEXT + "true", None)],
)  # fmt: skip
def test_rank(raw_value: str, value: int | None) -> None:
    assert read_rank(raw_value) == value


@pytest.mark.parametrize(
    ("raw_value", "value"),
    [("0", "0"), ("1.0000005", "1.000001"), ("1.00000049", "1.000000"), ("1e3", None),
     ("999999999999999.9999999", "1000000000000000"), ("1000000000000000", None), ("-0.1", None),
     (NOT_TEXT + "-0.0000001", None), (NOT_TEXT + "1e-999", "0"), (NOT_TEXT + "1.5E3", "1500")],
)  # fmt: skip
def test_dwell(raw_value: str, value: str | None) -> None:
    assert read_dwell(raw_value) == (None if value is None else Decimal(value))


def test_text_and_other_values_stay_apart() -> None:
    assert (text_of("7"), text_of(NOT_TEXT + "7"), text_of("")) == ("7", None, "")
    assert (read_string("7"), read_string(NOT_TEXT + "7"), read_string(NOT_TEXT + '"')) == (
        "7",
        "7",
        None,
    )

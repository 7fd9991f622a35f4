"""The rules, derived from the one table of fields."""

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sequen_dagster.compat.pandera_failures import find_broken_checks
from sequen_dagster.contract.codes import FILE_RULES, RECORD_RULES, field_rules
from sequen_dagster.contract.codes import rule_fields as fields_of
from sequen_dagster.contract.convert import convert
from sequen_dagster.contract.rules import event_schema, whole_row_schema
from sequen_dagster.contract.validate import find_broken_rules
from sequen_dagster.errors import FaultError
from sequen_dagster.fields import FIELD_NAMES, FIELDS, STANDARD_TYPES
from support.builders import RECEIVED_AT


def test_schema_has_every_field_of_the_table() -> None:
    assert tuple(event_schema().columns) == FIELD_NAMES


def test_rules_are_the_table_said_again() -> None:
    demanded = {field.name for field in FIELDS if field.mandatory or field.mandatory_for}

    assert sorted(field_rules()) == sorted(
        [f"invalid_{name}" for name in FIELD_NAMES]
        + [f"missing_{name}" for name in demanded]
        + ["missing_identity"]
    )


def test_mandatory_fields_are_those_of_the_event_document() -> None:
    assert {field.name: field.mandatory_for for field in FIELDS if field.mandatory_for} == {
        "rank": ("module_view", "impression"),
        "item_id": ("impression", "click"),
        "item_ids": ("conversion",),
        "page_type": ("page_view",),
        "click_type": ("click",),
        "conversion_type": ("conversion",),
        "dwell_ms": ("dwell_time",),
    }
    assert [field.name for field in FIELDS if field.mandatory] == ["type", "original_timestamp"]


def test_rule_names_its_fields() -> None:
    assert [fields_of(rule) for rule in field_rules() if rule != "missing_identity"] == [
        [rule.split("_", 1)[1]] for rule in field_rules() if rule != "missing_identity"
    ]
    assert all(fields_of(rule) == [] for rule in (*RECORD_RULES, *FILE_RULES))


@st.composite
def converted_rows(draw: st.DrawFn) -> pl.DataFrame:
    """Converted columns of a few records, right and wrong in every way that a rule knows."""
    raw_values = st.none() | st.sampled_from(
        ["", "nil", "0", "5", "a", "\0{}", "\0-1", "\x007.5", '\0["a"]', *STANDARD_TYPES,
         "2025-07-14", "1999-12-31", "2999-01-01", "0001-01-01"]
    )  # fmt: skip
    height = draw(st.integers(1, 4))
    columns = {
        name: draw(st.lists(raw_values, min_size=height, max_size=height)) for name in FIELD_NAMES
    }
    frame = pl.DataFrame(columns, schema=dict.fromkeys(FIELD_NAMES, pl.String))
    return convert(frame).with_columns(received_at=pl.lit(RECEIVED_AT))


@settings(deadline=None)
@given(converted=converted_rows())
def test_whole_row_check_refuses_the_rows_that_break_any_rule(converted: pl.DataFrame) -> None:
    broken = find_broken_checks(event_schema(), converted)

    assert (
        find_broken_checks(whole_row_schema(), converted)["row"].to_list()
        == broken["row"].to_list()
    )
    assert find_broken_rules(converted).equals(broken)


def test_whole_row_check_refuses_columns_of_other_types() -> None:
    frame = convert(pl.DataFrame({name: ["a"] for name in FIELD_NAMES}))

    with pytest.raises(FaultError):
        find_broken_checks(whole_row_schema(), frame.with_columns(rank=pl.lit("a")))

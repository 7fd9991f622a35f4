"""The rules, derived from the one table of fields."""

from sequen_dagster.contract.codes import FILE_RULES, RECORD_RULES, field_rules
from sequen_dagster.contract.codes import rule_fields as fields_of
from sequen_dagster.contract.rules import event_schema
from sequen_dagster.fields import FIELD_NAMES, FIELDS


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

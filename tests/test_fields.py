"""The table of fields is the one place: what the dbt project says must follow it."""

import csv
import re

from sequen_dagster.contract import ACCEPTED_SCHEMA
from sequen_dagster.contract.rules import event_schema
from sequen_dagster.fields import ALIASES, FIELD_NAMES, FIELDS, STANDARD_TYPES, mandatory_pairs
from sequen_dagster.marts.project import project_dir


def test_fields_are_those_of_the_event_document() -> None:
    assert (
        *("id", "type", "original_timestamp", "server_timestamp", "ingest_timestamp"),
        *("uid", "sid", "cid", "rec_id", "page_view_id", "module_view_id", "impression_id"),
        *("rank", "item_id", "item_ids", "item_id_relation"),
        *("page_type", "click_type", "conversion_type", "dwell_ms"),
    ) == FIELD_NAMES
    assert ALIASES == {"session_id": "sid", "client_id": "cid"}


def test_mandatory_pairs_are_those_of_the_event_document() -> None:
    assert sorted(mandatory_pairs()) == [
        ("click", "click_type"),
        ("click", "item_id"),
        ("conversion", "conversion_type"),
        ("conversion", "item_ids"),
        ("dwell_time", "dwell_ms"),
        ("impression", "item_id"),
        ("impression", "rank"),
        ("module_view", "rank"),
        ("page_view", "page_type"),
    ]
    assert {event_type for event_type, _ in mandatory_pairs()} < set(STANDARD_TYPES)


def test_seed_of_mandatory_fields_follows_the_table() -> None:
    with (project_dir() / "seeds" / "mandatory_fields.csv").open(encoding="utf-8") as seed:
        rows = {(row["type"], row["field"]) for row in csv.DictReader(seed)}

    always = {("*", field.name) for field in FIELDS if field.mandatory}
    assert rows == set(mandatory_pairs()) | always


def test_descriptions_of_the_marts_follow_the_table() -> None:
    text = (project_dir() / "models" / "marts" / "_marts__docs.md").read_text(encoding="utf-8")
    blocks = dict(re.findall(r"{% docs field_(\w+) %}\s*(.*?)\s*{% enddocs %}", text, re.DOTALL))

    assert blocks == {field.name: field.description for field in FIELDS}


def test_lake_and_schema_hold_every_field() -> None:
    assert set(FIELD_NAMES) < set(ACCEPTED_SCHEMA)
    assert list(event_schema().columns) == list(FIELD_NAMES)

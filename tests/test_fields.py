"""The table of fields is the one place: what the dbt project says must follow it."""

from pathlib import Path

import pytest

from sequen_dagster.contract import ACCEPTED_SCHEMA
from sequen_dagster.contract.rules import event_schema
from sequen_dagster.fields import ALIASES, FIELD_NAMES, STANDARD_TYPES, mandatory_pairs
from sequen_dagster.marts.project import project_dir
from support.generated_dbt import generated_files


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


@pytest.mark.parametrize("path", generated_files(), ids=lambda path: path.name)
def test_generated_files_are_up_to_date(path: Path) -> None:
    assert path.read_text(encoding="utf-8") == generated_files()[path], "run `make generate`"


def test_every_field_has_its_columns_described_by_the_table() -> None:
    described = (project_dir() / "models" / "marts" / "_marts__models.yml").read_text("utf-8")

    for name in FIELD_NAMES:
        assert f"doc('field_{name}')" in described, name


def test_lake_and_schema_hold_every_field() -> None:
    assert set(FIELD_NAMES) < set(ACCEPTED_SCHEMA)
    assert list(ACCEPTED_SCHEMA)[:3] == ["id", "type", "uid"]
    assert list(event_schema().columns) == list(FIELD_NAMES)

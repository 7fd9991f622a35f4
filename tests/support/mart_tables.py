"""The tables of the marts beside those of the oracle, and the settings that both are built with."""

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import yaml

from support.histories import RECEIVED_AT, as_json
from support.oracle import ExportFile, Rules, validate
from support.replay import Load

PROJECT = Path(__file__).resolve().parents[2] / "dbt_project"
Row = dict[str, Any]

RULES = {
    "defaults": Rules(),
    "short": Rules(
        session_timeout_minutes=15,
        click_window_minutes=15,
        click_touch_days=1,
        view_touch_days=7,
        max_touches=3,
        half_life_days=1,
        oversized_visitor_events=10,
        max_users_per_device=2,
    ),
    "inactivity": Rules(
        session_rule="inactivity",
        max_touches=2,
        max_users_per_device=1,
        value_field="scroll_pct",
        order_field="order.no",
        placeholder_ids=("null", "eur"),
        placeholder_identities=("2",),
    ),
    "unstitched": Rules(stitching=False, max_touches=1, order_field=None, value_field="order.sum"),
}


def variables_of(rules: Rules) -> dict[str, Any]:
    """The variables of dbt that say the same as the rules."""
    return {
        "sequen_session_timeout_minutes": rules.session_timeout_minutes,
        "sequen_session_rule": rules.session_rule,
        "sequen_stitching": rules.stitching,
        "sequen_click_window_minutes": rules.click_window_minutes,
        "sequen_click_touch_days": rules.click_touch_days,
        "sequen_view_touch_days": rules.view_touch_days,
        "sequen_max_touches": rules.max_touches,
        "sequen_half_life_days": rules.half_life_days,
        "sequen_value_field": rules.value_field.split("."),
        "sequen_currency_field": rules.currency_field.split("."),
        "sequen_order_field": rules.order_field.split(".") if rules.order_field else [],
        "sequen_oversized_visitor_events": rules.oversized_visitor_events,
        "sequen_max_users_per_device": rules.max_users_per_device,
        "sequen_placeholder_ids": list(rules.placeholder_ids),
        "sequen_placeholder_identities": list(rules.placeholder_identities),
    }


def table_keys() -> dict[str, tuple[str, ...]]:
    """Return what identifies a row of each table."""
    keys = {
        "fct_sessions": ("session_key",),
        "fct_attributions": ("conversion_id", "item_id", "touch_id"),
        "fct_recommendations": ("rec_id",),
        "dim_visitors": ("visitor_key",),
    }
    described = yaml.safe_load((PROJECT / "models/marts/_marts__models.yml").read_text())
    names = [model["name"] for model in described["models"]]
    return {name: keys.get(name, ("id",)) for name in names if name != "quarantined_events"}


def accepted_of(loads: list[Load]) -> list[Row]:
    """The rows of the current versions, as the oracle validates them, each with its batch."""
    current: dict[tuple[str, str], Load] = {}
    for load in sorted(loads, key=lambda load: load.version):
        current[load.source, load.path] = load
    files = [
        ExportFile(
            load.source,
            load.path,
            "".join(f"{as_json(e)}\n" for e in load.events).encode(),
            RECEIVED_AT,
        )
        for load in current.values()
    ]
    rows = validate(files).accepted
    for row in rows:
        load = current[row["source"], row["source_file"]]
        row["batch_id"] = f"{load.source}/{load.path}/{load.version}"
    return rows


def rows_of(connection: duckdb.DuckDBPyConnection, table: str) -> list[Row]:
    result = connection.execute(f"select * from main.{table}")
    names = [column[0] for column in result.description]
    return [dict(zip(names, row, strict=True)) for row in result.fetchall()]


def as_stored(row: Row) -> Row:
    """An event of the oracle as fct_events holds it."""
    digest = hashlib.md5(row["id"].encode()).hexdigest()  # noqa: S324  # a key, no secret
    return row | {"properties": as_json(row["properties"]), "id_hash": int(digest[:15], 16)}


def differences(
    connection: duckdb.DuckDBPyConnection, expected: dict[str, list[Row]]
) -> Iterator[str]:
    """Say where tables and oracle differ, at most ten rows a table."""
    assert set(expected) == set(table_keys())
    for table, key in table_keys().items():
        wanted = {tuple(row[name] for name in key): row for row in expected[table]}
        if table == "fct_events":
            wanted = {event_id: as_stored(row) for event_id, row in wanted.items()}
        found_rows = rows_of(connection, table)
        found = {tuple(row[name] for name in key): row for row in found_rows}
        if len(found) != len(found_rows):
            yield f"{table}: {len(found_rows)} rows, {len(found)} keys"
        wrong = [k for k in wanted.keys() | found.keys() if wanted.get(k) != found.get(k)]
        for one in sorted(wrong, key=repr)[:10]:
            if one not in wanted or one not in found:
                yield f"{table} {one}: {'unexpected' if one in found else 'missing'}"
                continue
            for name in sorted(wanted[one].keys() | found[one].keys()):
                said, right = found[one].get(name, "no column"), wanted[one].get(name, "no column")
                if said != right:
                    yield f"{table} {one} {name}: {said!r}, by the oracle {right!r}"

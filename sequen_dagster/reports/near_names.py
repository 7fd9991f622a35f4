"""Reports: the names in the snapshot that near misses are looked for among.

In: the published snapshot. Out: near misses, as `report.json` holds them.
"""

from collections import defaultdict
from collections.abc import Iterable
from typing import Any, Final

import duckdb

from sequen_dagster.contract.shapes import SEARCHED_OBJECTS
from sequen_dagster.reports import queries
from sequen_dagster.reports.near_misses import (
    near_fields,
    near_fields_of_quarantined,
    near_ids,
    near_types,
    near_values,
)

_SHOWN_OF_A_KIND: Final = 12
_NAME_FIELDS: Final = ("type", "page_type", "click_type", "conversion_type")

Rows = list[dict[str, Any]]  # Any: what a query gives; the report's form checks it
Names = dict[str, set[str]]


def near_misses(snapshot: duckdb.DuckDBPyConnection, fields: Rows) -> Rows:
    """What comes near a name of the schema, or of an attribute, and is not read as it.

    Args:
        snapshot: the published snapshot.
        fields: the report's rows of reserved fields.

    Returns:
        Near misses, the most frequent of each kind.
    """
    paths = {path for (path,) in snapshot.execute(queries.DETECTED_PATHS).fetchall()}
    expected: Names = defaultdict(set)
    for name, value in snapshot.execute(queries.EXPECTED_NAMES).fetchall():
        expected[name].add(value)
    carried = {
        (field["type"], field["field"])
        for field in fields
        if field["source"] == "(all)" and field["present"] == 1
    }
    custom = snapshot.execute(queries.NEAR_FIELDS).fetchall()
    values = snapshot.execute(queries.NEAR_VALUES).fetchall()
    media = _count_media(snapshot, custom, expected.keys() - set(_NAME_FIELDS))
    found = [
        near_fields_of_quarantined(snapshot.execute(queries.NEAR_QUARANTINED).fetchall()),
        near_types(
            snapshot.execute(queries.NEAR_TYPES).fetchall(), expected=expected.get("type", ())
        ),
        near_ids(snapshot.execute(queries.NEAR_IDS).fetchall()),
        near_values([*values, *media], expected=expected),
        near_fields(custom, detectors=paths, carried=carried),
    ]
    return [one.model_dump() for of_a_kind in found for one in of_a_kind[:_SHOWN_OF_A_KIND]]


def _count_media(
    snapshot: duckdb.DuckDBPyConnection, custom: list[tuple[str, str, int]], paths: Iterable[str]
) -> list[tuple[str, str, int]]:
    """Values of the fields that are compared with a name, as (path, value, events).

    JSON is read only of types of events that have such a field.
    """
    found = []
    for path in sorted(paths):
        for field in (path, *(f"{place}.{path}" for place in SEARCHED_OBJECTS)):
            types = sorted({event_type for event_type, name, _ in custom if name == field})
            escaped = field.replace("~", "~0").replace("/", "~1")
            for pointer in dict.fromkeys((f"/{escaped}", "/" + escaped.replace(".", "/"))):
                if types:
                    counts = snapshot.execute(
                        queries.NEAR_MEDIA, {"pointer": pointer, "types": types}
                    ).fetchall()
                    found += [(path, value, count) for value, count in counts]
    return found

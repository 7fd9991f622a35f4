"""Reports: what the training set holds, counted: `serving/training/manifest.json`."""

import hashlib
from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

import duckdb

from sequen_dagster.marts.catalog import TableColumn
from sequen_dagster.reports.options import ReportOptions
from sequen_dagster.reports.publish import read_rows
from sequen_dagster.settings import RULES_VERSION

TRAINING_VERSION: Final = 1
SPLITS: Final = ("train", "validation", "test", "unused")

_COUNTS: Final = """
    select visitor_split, time_split, split, count(*) as rows,
        count(*) filter (where is_clicked) as clicked,
        count(*) filter (where is_converted) as converted,
        count(dwell_ms) as with_dwell,
        count(distinct visitor_key) as visitors
    from read_parquet(?, hive_partitioning = false) group by all
"""

Manifest = dict[str, Any]  # Any: JSON; `describe` says what is where


def describe(
    options: ReportOptions,
    snapshot: duckdb.DuckDBPyConnection,
    columns: Sequence[TableColumn],
    file: Path,
) -> Manifest:
    """Say what a training set holds: counts and columns, no value of an event.

    Args:
        options: from `report_options`.
        snapshot: a connection to the published tables that may read the file.
        columns: those of the view.
        file: the Parquet file, wherever it lies for now.

    Returns:
        The manifest, the same for the same snapshot.
    """
    cells = _cells(snapshot, file)
    periods = {row["period"]: row for row in read_rows(snapshot, "from training_periods")}
    counted = ("rows", "clicked", "converted", "with_dwell")
    with file.open("rb") as handle:
        digest = hashlib.file_digest(handle, "sha256").hexdigest()
    return {
        "training_version": TRAINING_VERSION,
        "made_by": {
            "sequen_dagster": version("sequen-dagster"),
            "rules_version": RULES_VERSION,
            "marts_fingerprint": options.marts_fingerprint,
        },
        # By these a reader sees whether file and manifest belong together.
        "file": {
            "name": "impressions.parquet",
            "rows": sum(cell["rows"] for cell in cells),
            "bytes": file.stat().st_size,
            "sha256": digest,
        },
        "parameters": {
            "train_percent": periods["train"]["share_percent"],
            "validation_percent": periods["validation"]["share_percent"],
            "visitor_bucket": "first 15 hex digits of md5(visitor_key), modulo 100",
        },
        "cuts": {
            "validation_from": _instant(periods["validation"]["starts_at"]),
            "test_from": _instant(periods["test"]["starts_at"]),
            "known_until": _instant(periods["test"]["ends_at"]),
        },
        "splits": {
            split: {
                name: sum(cell[name] for cell in cells if cell["split"] == split)
                for name in counted
            }
            for split in SPLITS
        },
        "cells": cells,
        "columns": [asdict(column) for column in columns],
    }


def _instant(at: datetime | None) -> str | None:
    return at.isoformat(timespec="microseconds") + "Z" if at else None


def _cells(
    snapshot: duckdb.DuckDBPyConnection, file: Path
) -> list[dict[str, Any]]:  # Any: text or number
    """Counts by split of the visitor and of the period, nine at most."""
    rows = read_rows(snapshot, _COUNTS, [str(file)])
    order = SPLITS.index
    return sorted(rows, key=lambda row: (order(row["visitor_split"]), order(row["time_split"])))

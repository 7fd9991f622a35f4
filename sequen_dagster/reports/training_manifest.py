"""Reports: what the training set holds, counted: `serving/training/manifest.json`."""

import hashlib
from dataclasses import asdict, dataclass
from datetime import datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

import duckdb

from sequen_dagster.reports.publish import read_rows
from sequen_dagster.reports.training_columns import COLUMNS
from sequen_dagster.settings import RULES_VERSION, SequenSettings

TRAINING_VERSION: Final = 1
SPLITS: Final = ("train", "validation", "test", "unused")
# Of visitors by their hash, and of impressions by their time; the test set gets the rest.
TRAIN_PERCENT: Final = 70
VALIDATION_PERCENT: Final = 15

_COUNTS: Final = """
    select visitor_split, time_split, split, count(*) as rows,
        count(*) filter (where is_clicked) as clicked,
        count(*) filter (where is_converted) as converted,
        count(dwell_ms) as with_dwell,
        count(distinct visitor_key) as visitors
    from read_parquet(?) group by all
"""

Manifest = dict[str, Any]  # Any: JSON; `describe` says what is where


@dataclass(frozen=True)
class Cuts:
    """The instants that cut time; each period ends before the instant at which the next begins.

    Attributes:
        validation_from: the 70 % quantile of the impressions' times; None where there are none.
        test_from: the 85 % quantile.
        known_until: just after the last event of any type.
    """

    validation_from: datetime | None
    test_from: datetime | None
    known_until: datetime | None


def describe(
    settings: SequenSettings, snapshot: duckdb.DuckDBPyConnection, cuts: Cuts, file: Path
) -> Manifest:
    """Say what a training set holds: counts and columns, no value of an event.

    Args:
        settings: the home.
        snapshot: a connection that may read the file.
        cuts: those by which it was made.
        file: the Parquet file, wherever it lies for now.

    Returns:
        The manifest, the same for the same snapshot.
    """
    cells = _cells(snapshot, file)
    counted = ("rows", "clicked", "converted", "with_dwell")
    with file.open("rb") as handle:
        digest = hashlib.file_digest(handle, "sha256").hexdigest()
    return {
        "training_version": TRAINING_VERSION,
        "made_by": {
            "sequen_dagster": version("sequen-dagster"),
            "rules_version": RULES_VERSION,
            "marts_fingerprint": settings.marts_fingerprint(),
        },
        # By these a reader sees whether file and manifest belong together.
        "file": {
            "name": "impressions.parquet",
            "rows": sum(cell["rows"] for cell in cells),
            "bytes": file.stat().st_size,
            "sha256": digest,
        },
        "parameters": {
            "train_percent": TRAIN_PERCENT,
            "validation_percent": VALIDATION_PERCENT,
            "visitor_bucket": "first 15 hex digits of md5(visitor_key), modulo 100",
        },
        "cuts": {
            name: at.isoformat(timespec="microseconds") + "Z" if at else None
            for name, at in asdict(cuts).items()
        },
        "splits": {
            split: {
                name: sum(cell[name] for cell in cells if cell["split"] == split)
                for name in counted
            }
            for split in SPLITS
        },
        "cells": cells,
        "columns": [asdict(column) for column in COLUMNS],
    }


def _cells(
    snapshot: duckdb.DuckDBPyConnection, file: Path
) -> list[dict[str, Any]]:  # Any: text or number
    """Counts by split of the visitor and of the period, nine at most."""
    rows = read_rows(snapshot, _COUNTS, [str(file)])
    order = SPLITS.index
    return sorted(rows, key=lambda row: (order(row["visitor_split"]), order(row["time_split"])))

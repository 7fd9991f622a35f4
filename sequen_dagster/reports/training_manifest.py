"""Reports: what the training set holds, counted: `serving/training/manifest.json`."""

import json
from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass
from datetime import date, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

import duckdb

from sequen_dagster.home.layout import Serving
from sequen_dagster.marts.builds import FinishedBuild
from sequen_dagster.marts.catalog import TableColumn
from sequen_dagster.reports.options import ReportOptions
from sequen_dagster.reports.rows import read_rows
from sequen_dagster.settings import RULES_VERSION

TRAINING_VERSION: Final = 2
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
_CUTS: Final = ("validation_from", "test_from", "known_until")
# The first instants of validation and of test, and just after the last event.
Cuts = tuple[datetime | None, datetime | None, datetime | None]


@dataclass(frozen=True)
class TrainingFile:
    """A Parquet file of the training set.

    Attributes:
        name: its path below the manifest; says what is in it.
        day: UTC day of its impressions; None of a file without any.
        period: the period of its impressions, as in `time_split`.
        rows: how many impressions.
        bytes: its size.
        sha256: hash of its content.
    """

    name: str
    day: date | None
    period: str
    rows: int
    bytes: int
    sha256: str


def describe(
    options: ReportOptions,
    snapshot: duckdb.DuckDBPyConnection,
    columns: Sequence[TableColumn],
    folder: Path,
    files: Sequence[TrainingFile],
    *,
    made_from: FinishedBuild | None,
    former: Collection[str],
) -> Manifest:
    """Say what a training set holds: files, counts and columns, no value of an event.

    Args:
        options: from `report_options`.
        snapshot: a connection to the published periods that may read the files.
        columns: those of the files.
        folder: where the manifest is.
        files: all of the set.
        made_from: the build that the snapshot is of, where that is known.
        former: names of files of the set before, which its readers may still need.

    Returns:
        The manifest.
    """
    order = ["", *SPLITS].index
    files = sorted(files, key=lambda file: (file.day or date.min, order(file.period)))
    cells = _cells(snapshot, [folder / file.name for file in files])
    periods = {row["period"]: row for row in read_rows(snapshot, "from training_periods")}
    counted = ("rows", "clicked", "converted", "with_dwell")
    return {
        "training_version": TRAINING_VERSION,
        "made_by": made_by(options),
        "made_from": made_from and asdict(made_from),
        "rows": sum(file.rows for file in files),
        "bytes": sum(file.bytes for file in files),
        # In order of time; by these names alone a reader finds the set.
        "files": [{**asdict(file), "day": file.day and file.day.isoformat()} for file in files],
        "former_files": sorted(former),
        "parameters": {
            "train_percent": periods["train"]["share_percent"],
            "validation_percent": periods["validation"]["share_percent"],
            "visitor_bucket": "first 15 hex digits of md5(visitor_key), modulo 100",
        },
        "cuts": dict(zip(_CUTS, map(_instant, read_cuts(snapshot)), strict=True)),
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


def read_manifest(serving: Serving) -> Manifest | None:
    """The manifest of the training set; None where there is none of this version."""
    try:
        found = json.loads(serving.training_manifest.read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        # None of ours: the set is written again as a whole, and the manifest with it.
        return None
    is_ours = isinstance(found, dict) and found.get("training_version") == TRAINING_VERSION
    return found if is_ours else None


def files_of(manifest: Manifest) -> list[TrainingFile]:
    """The files of a set, in order of time."""
    return [
        TrainingFile(**{**one, "day": one["day"] and date.fromisoformat(one["day"])})
        for one in manifest["files"]
    ]


def trained_on(manifest: Manifest | None) -> FinishedBuild | None:
    """The build whose tables the training set was made of; None where that is not known."""
    made_from = manifest and manifest["made_from"]
    return FinishedBuild(**made_from) if made_from else None


def made_by(options: ReportOptions) -> dict[str, str | int]:
    """What a set depends on other than the tables: the release and the settings."""
    return {
        "sequen_dagster": version("sequen-dagster"),
        "rules_version": RULES_VERSION,
        "marts_fingerprint": options.marts_fingerprint,
    }


def read_cuts(snapshot: duckdb.DuckDBPyConnection) -> Cuts:
    """Where time is cut; all None without impressions."""
    periods = {row["period"]: row for row in read_rows(snapshot, "from training_periods")}
    test = periods["test"]
    return periods["validation"]["starts_at"], test["starts_at"], test["ends_at"]


def parse_cuts(manifest: Manifest) -> Cuts:
    """Where time was cut for a set."""
    first, second, last = (
        text and datetime.fromisoformat(text.removesuffix("Z"))
        for text in (manifest["cuts"][name] for name in _CUTS)
    )
    return first, second, last


def _instant(at: datetime | None) -> str | None:
    return at.isoformat(timespec="microseconds") + "Z" if at else None


def _cells(
    snapshot: duckdb.DuckDBPyConnection, files: Sequence[Path]
) -> list[dict[str, Any]]:  # Any: text or number
    """Counts by split of the visitor and of the period, nine at most."""
    rows = read_rows(snapshot, _COUNTS, [[str(file) for file in files]])
    order = SPLITS.index
    return sorted(rows, key=lambda row: (order(row["visitor_split"]), order(row["time_split"])))

"""Texts of engines that quote records do not get out."""

import json
from collections.abc import Callable
from pathlib import Path

import duckdb
import polars as pl
import pyarrow as pa
import pytest

from sequen_dagster.contract import validate as contract
from sequen_dagster.errors import FaultError, VanishedFileError
from sequen_dagster.exports.files import list_files
from sequen_dagster.runtime.redaction import without_values
from support.builders import RECEIVED_AT, event
from support.homes import settings_of, write_events
from support.lake import ingest, lake_of

CANARY = "canary.person@example.com"
FAULTS: dict[str, Callable[[], object]] = {
    "InvalidOperationError": lambda: pl.Series("a", [CANARY]).str.strptime(pl.Date, "%Y"),
    "ArrowInvalid": lambda: pa.array([CANARY]).cast(pa.int64()),
    "ValueError": lambda: int(CANARY),
    "KeyError": lambda: {}[CANARY],
    "JSONDecodeError": lambda: json.loads(CANARY),
    "UnicodeEncodeError": lambda: f"{CANARY}\ud800".encode(),
}


def traceback_of(error: BaseException) -> str:
    """All that a log shows of an exception."""
    assert error.__suppress_context__
    assert error.__cause__ is None
    return f"{error} {error!r}"


@pytest.mark.bad_input(61)
@pytest.mark.parametrize("kind", FAULTS)
def test_fault_is_reported_without_the_value(kind: str) -> None:
    with pytest.raises(FaultError, match=f"^{kind} in ") as caught, without_values():
        FAULTS[kind]()

    assert CANARY not in traceback_of(caught.value)


@pytest.mark.bad_input(61)
@pytest.mark.parametrize(
    "query",
    [
        f"select '{CANARY}'::integer",
        f"select '[{CANARY}'::json",
        f"select error('{CANARY}')",
        f"select strptime('{CANARY}', '%Y')",
    ],
)
def test_engine_error_is_reported_by_its_class_without_the_value(query: str) -> None:
    with duckdb.connect() as connection:
        with pytest.raises(duckdb.Error, match="is not shown") as caught, without_values():
            connection.execute(query).fetchall()
        with pytest.raises(duckdb.CatalogException, match="nowhere"), without_values():
            connection.execute("from nowhere")

    assert CANARY not in traceback_of(caught.value)


def test_what_says_no_value_is_left_alone() -> None:
    with pytest.raises(VanishedFileError, match="gone"), without_values():
        raise VanishedFileError("gone")
    with pytest.raises(FileNotFoundError, match="nowhere"), without_values():
        Path("nowhere").read_bytes()


@pytest.mark.bad_input(61)
def test_fault_within_the_contract_names_its_line_of_code(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = settings_of(tmp_path)
    write_events(settings, "a.jsonl", event(uid=CANARY))
    (file,) = list_files(settings.sources[0])
    monkeypatch.setattr(contract, "convert", lambda columns, **_: columns["uid"].cast(pl.Int8))

    with pytest.raises(FaultError, match=r"contract/validate\.py:\d+") as caught:
        ingest(settings, file, registered_at=RECEIVED_AT)

    assert CANARY not in traceback_of(caught.value)
    assert list((lake_of(settings).incoming).iterdir()) == []

"""A published snapshot without a run: the build's own SQL over a few events, in memory."""

from collections.abc import Iterable

from sequen_dagster.home.layout import Home
from sequen_dagster.settings import SequenSettings
from support.histories import Row
from support.replay import Load, Recording, SmallWarehouse


def publish_rows(settings: SequenSettings, recording: Recording, *loads: Load) -> None:
    """Build the tables of these files and put the public ones where a run would publish them."""
    target = Home(settings.home).serving.snapshot
    target.parent.mkdir(parents=True, exist_ok=True)
    target.unlink(missing_ok=True)
    with SmallWarehouse(recording) as warehouse:
        for load in loads:
            warehouse.load(load)
        warehouse.build()
        connection = warehouse.connection
        # What a commit says of a file and this warehouse leaves out.
        connection.execute(
            "update main.rpt_batches set received_at = registered_at, file_bytes = 10,"
            " contract_fingerprint = 'other', file_format = 'jsonl'"
        )
        connection.execute(f"attach '{target}' as snapshot")
        names = connection.execute(
            "select table_name from information_schema.tables"
            " where table_catalog = 'warehouse' and table_schema = 'main'"
            " and regexp_matches(table_name, '^(fct|dim|rpt)_')"
        ).fetchall()
        for (name,) in names:
            connection.execute(f"create table snapshot.main.{name} as from warehouse.main.{name}")
        connection.execute("detach snapshot")


def file_of(rows: Iterable[Row], path: str = "a.jsonl", version: int = 1) -> Load:
    """A file of these events."""
    return Load(path, tuple(rows), version)

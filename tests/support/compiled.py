"""Views of the dbt project as plain SQL, for tables made by hand."""

import json
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import duckdb

from sequen_dagster.marts.catalog import TableCatalog, TableColumn
from support.replay import PROJECT, run_dbt

VIEWS = ("training_periods", "training_impressions")
NO_TABLES = TableCatalog((), (), (), frozenset(), {}, {"training_impressions": ()})


@cache
def compiled_views() -> tuple[TableCatalog, dict[str, str]]:
    """What the project says of its tables, and the queries of `VIEWS`, in order."""
    with TemporaryDirectory() as folder:
        target = Path(folder)
        duckdb.connect(str(target / "warehouse.duckdb")).close()
        run_dbt(target, PROJECT, target / "warehouse.duckdb", "compile", {}, "--select", *VIEWS)
        manifest = target / "target" / "manifest.json"
        nodes = json.loads(manifest.read_text(encoding="utf-8"))["nodes"]
        catalog = TableCatalog.read(json.loads(manifest.read_text(encoding="utf-8")))
    queries = {
        name: nodes[f"model.sequen.{name}"]["compiled_code"].replace('"warehouse".', "")
        for name in catalog.views
        if name in VIEWS
    }
    return catalog, queries


def training_columns() -> tuple[TableColumn, ...]:
    """The columns of the training set."""
    return compiled_views()[0].columns["training_impressions"]


def create_views(connection: duckdb.DuckDBPyConnection) -> None:
    """Make the views over the tables of a database."""
    for name, query in compiled_views()[1].items():
        connection.execute(f'create or replace view "{name}" as {query}')

"""Marts: which tables the dbt project makes for people, as its manifest says.

In: dbt's manifest. Out: names of tables, their columns, and what identifies their rows. A model is
public by dbt's `access: public`, and history by its meta `sequen: {is_history: true}`.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from graphlib import TopologicalSorter
from typing import Any, Self

Node = Mapping[str, Any]  # Any: dbt's manifest


@dataclass(frozen=True)
class TableColumn:
    """A column as the dbt project describes it.

    Attributes:
        name: its name.
        type: its type, as DuckDB spells it.
        role: what a model may use it for, where its meta `sequen: {role: ...}` says so.
        description: what it says.
    """

    name: str
    type: str
    role: str
    description: str


@dataclass(frozen=True)
class TableCatalog:
    """The tables in schema `main`; models of other schemas are steps on the way there.

    Attributes:
        tables: public tables.
        views: public views, computed from tables when they are read; after those they read.
        private: tables and views that stay in the warehouse.
        history: tables that a full refresh does not repeat.
        keys: the columns that identify a row, by table, as the tests `unique_key` say.
        columns: the columns of each table, in order.
    """

    tables: tuple[str, ...]
    views: tuple[str, ...]
    private: tuple[str, ...]
    history: frozenset[str]
    keys: Mapping[str, tuple[str, ...]]
    columns: Mapping[str, tuple[TableColumn, ...]]

    @property
    def public(self) -> tuple[str, ...]:
        """What the published snapshot holds."""
        return (*self.tables, *self.views)

    @property
    def compared(self) -> tuple[str, ...]:
        """Tables that have to equal a full refresh; then public views do, which read only them."""
        tables = sorted([*self.tables, *self.private])
        return tuple(name for name in tables if name not in self.history)

    @classmethod
    def read(cls, manifest: Mapping[str, Any]) -> Self:  # Any: dbt's manifest
        """Read the catalog from dbt's manifest."""
        nodes = manifest["nodes"]
        models = {
            node["name"]: node
            for node in nodes.values()
            # A model without a schema of its own lies in that of the profile, which is `main`.
            if node["resource_type"] == "model"
            and not node["config"].get("schema")
            and node["config"]["materialized"] != "ephemeral"
        }
        public = {name for name, node in models.items() if node["config"]["access"] == "public"}
        views = {name for name in public if models[name]["config"]["materialized"] == "view"}
        return cls(
            tables=tuple(sorted(public - views)),
            views=_in_order(views, models),
            private=tuple(sorted(models.keys() - public)),
            history=frozenset(name for name, node in models.items() if _is_history(node)),
            keys=_read_keys(nodes.values()),
            columns={name: _read_columns(node) for name, node in models.items()},
        )


def _in_order(views: set[str], models: Mapping[str, Node]) -> tuple[str, ...]:
    """The views, each after those that it reads: an engine binds a view when it is made."""
    parents = {
        name: [parent.rpartition(".")[2] for parent in models[name]["depends_on"]["nodes"]]
        for name in sorted(views)
    }
    return tuple(name for name in TopologicalSorter(parents).static_order() if name in views)


def _is_history(node: Node) -> bool:
    return bool(node["config"]["meta"].get("sequen", {}).get("is_history"))


def _read_columns(node: Node) -> tuple[TableColumn, ...]:
    return tuple(
        TableColumn(
            name,
            (column["data_type"] or "").upper(),
            column["config"]["meta"].get("sequen", {}).get("role", ""),
            column["description"].strip(),
        )
        for name, column in node["columns"].items()
    )


def _read_keys(nodes: Collection[Node]) -> dict[str, tuple[str, ...]]:
    keys = {}
    for node in nodes:
        test = node.get("test_metadata") or {}
        if test.get("name") == "unique_key" and node.get("attached_node"):
            given = test["kwargs"]
            columns = given.get("columns") or [given["column_name"]]
            keys[node["attached_node"].rpartition(".")[2]] = tuple(columns)
    return keys

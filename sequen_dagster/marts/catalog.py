"""Marts: which tables the dbt project makes for people, as its manifest says.

In: `manifest.json`. Out: the names of tables, and what identifies their rows. A model is public by
dbt's `access: public`, and history by its meta `sequen: {is_history: true}`.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self


@dataclass(frozen=True)
class TableCatalog:
    """The tables in schema `main`; models of other schemas are steps on the way there.

    Attributes:
        public: tables of the published snapshot.
        private: tables that stay in the warehouse.
        history: tables that a full refresh does not repeat.
        keys: the columns that identify a row, by table, as the tests `unique_key` say.
    """

    public: tuple[str, ...]
    private: tuple[str, ...]
    history: frozenset[str]
    keys: Mapping[str, tuple[str, ...]]

    @property
    def compared(self) -> tuple[str, ...]:
        """Tables that have to equal a full refresh."""
        tables = sorted([*self.public, *self.private])
        return tuple(name for name in tables if name not in self.history)

    @classmethod
    def load(cls, manifest: Path) -> Self:
        """Read the catalog from dbt's manifest."""
        nodes = json.loads(manifest.read_text(encoding="utf-8"))["nodes"].values()
        tables = {
            node["name"]: node
            for node in nodes
            # A model without a schema of its own lies in that of the profile, which is `main`.
            if node["resource_type"] == "model" and not node["config"].get("schema")
        }
        public = {name for name, node in tables.items() if node["config"]["access"] == "public"}
        return cls(
            public=tuple(sorted(public)),
            private=tuple(sorted(tables.keys() - public)),
            history=frozenset(name for name, node in tables.items() if _is_history(node)),
            keys=_read_keys(nodes),
        )


def _is_history(node: Mapping[str, Any]) -> bool:  # Any: dbt's manifest
    return bool(node["config"]["meta"].get("sequen", {}).get("is_history"))


def _read_keys(nodes: Any) -> dict[str, tuple[str, ...]]:  # Any: dbt's manifest
    keys = {}
    for node in nodes:
        test = node.get("test_metadata") or {}
        if test.get("name") == "unique_key" and node.get("attached_node"):
            given = test["kwargs"]
            columns = given.get("columns") or [given["column_name"]]
            keys[node["attached_node"].rpartition(".")[2]] = tuple(columns)
    return keys

"""Compat: dagster-dbt's resource without what it does on every call and is not needed here.

Reason: the original starts `dbt --version` in a process of its own and builds an adapter in this
one, for row counts that the marts take themselves: 11 of the 33 s that a small run takes. If the
two have other names, runs get slower, not wrong.
Upstream: dagster-dbt 0.29.27, `DbtCliResource._cli_version` and `_initialize_dbt_core_adapter`.
Test: tests/test_compat.py::test_shortcuts_still_replace_functions_of_dagster_dbt
"""

from importlib.metadata import version
from typing import Any

from dagster_dbt import DbtCliResource
from packaging.version import Version


class QuickDbtCliResource(DbtCliResource):
    """A `DbtCliResource` that starts dbt at once."""

    @property
    def _cli_version(self) -> Version:
        return Version(version("dbt-core"))

    def _initialize_dbt_core_adapter(self, *_: Any) -> None:  # type: ignore[override]  # None is allowed for the adapter
        return None

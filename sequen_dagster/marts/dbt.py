"""Marts: dbt of this very environment, called for a home."""

import os
import sysconfig
from importlib.metadata import version
from pathlib import Path
from typing import Any

from dagster_dbt import DbtCliResource
from packaging.version import Version

from sequen_dagster.home.layout import Home
from sequen_dagster.marts.project import project_dir
from sequen_dagster.runtime.parent_watchdog import parent_in_environment
from sequen_dagster.settings import SequenSettings


class HomeDbt(DbtCliResource):
    """The dbt resource without what it does on every call and is not needed here.

    The original starts `dbt --version` in a process of its own and builds an adapter in this one,
    for row counts that we take ourselves: 11 of the 33 s that a small run takes. If dagster_dbt
    renames the two, runs get slower, not wrong, and `tests/test_dbt.py` says so.
    """

    @property
    def _cli_version(self) -> Version:
        return Version(version("dbt-core"))

    def _initialize_dbt_core_adapter(self, *_: Any) -> None:  # type: ignore[override]  # None is allowed for the adapter
        return None


def dbt_of(settings: SequenSettings) -> HomeDbt:
    """Dbt with the package's project and the home's profile; it ends when this process is gone."""
    # dagster_dbt hands on the environment as it is, and takes nothing else.
    os.environ.update(parent_in_environment())
    return HomeDbt(
        project_dir=str(project_dir()),
        profiles_dir=str(Home(settings.home).dbt.root),
        # Of this environment, whether or not it is on the path.
        dbt_executable=str(Path(sysconfig.get_path("scripts")) / "dbt"),
    )

"""Marts: dbt of this very environment, called for a home."""

import os
import sysconfig
from pathlib import Path

from sequen_dagster.compat.dagster_dbt_resource import QuickDbtCliResource
from sequen_dagster.home.layout import Home
from sequen_dagster.marts.project import project_dir
from sequen_dagster.runtime.parent_watchdog import parent_in_environment


def dbt_of(home: Home) -> QuickDbtCliResource:
    """The dbt of a home, with the package's project; it ends when this process is gone."""
    # dagster_dbt hands on the environment as it is, and takes no additions.
    os.environ.update(parent_in_environment())
    return QuickDbtCliResource(
        project_dir=str(project_dir()),
        profiles_dir=str(home.dbt.root),
        # Of this environment, whether or not it is on the path.
        dbt_executable=str(Path(sysconfig.get_path("scripts")) / "dbt"),
    )

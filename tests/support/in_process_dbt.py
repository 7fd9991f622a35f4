"""dbt in the process of the tests: parsed once, and without its own tests where others look closer.

Builds of the modules in `WITHOUT_DBT_TESTS` leave dbt's own tests out, which are half of a small
build's nodes: there the tables are held to more, to a full refresh, an oracle or known answers.
Only builds of a test's own process do so; commands that tests start, and the daemon, build as ever.
"""

from collections.abc import Sequence
from typing import Any, Final

import filelock

from sequen_dagster.marts import dbt
from sequen_dagster.marts.parsing import parse_project
from sequen_dagster.marts.project import SHIPPED, project_dir

# What dbt's tests would find there, these modules find themselves.
WITHOUT_DBT_TESTS: Final = {
    "test_affected_rules",
    "test_bounds",
    "test_canary",
    "test_corpus",
    "test_erase",
    "test_exactness",
    "test_field_cases",
    "test_fixes",
    "test_former_home",
    "test_hostile_names",
    "test_killed_runs",
    "test_marts_sql",
    "test_new_files",
    "test_real_data_batches",
    "test_replay",
    "test_rewrites",
    "test_training",
}
_call_dbt = dbt._call_dbt
_leaves_tests = False


def parse_once() -> None:
    """Have the checkout's parsed project fit its files, as the wheel's does; one worker parses."""
    with filelock.FileLock(SHIPPED.folder.with_suffix(".lock")):
        if not (SHIPPED.is_for_dbt() and SHIPPED.is_of(project_dir())):
            parse_project(project_dir(), SHIPPED)


def leave_dbt_tests(module: str) -> None:
    """Have builds from now on leave dbt's tests out, or not, as the tests of a module need it."""
    global _leaves_tests
    _leaves_tests = module in WITHOUT_DBT_TESTS


def _call_without_tests(settings: Any, arguments: Sequence[str], events: Any) -> None:
    if _leaves_tests and arguments[0] == "build":
        arguments = [*arguments, "--exclude-resource-type", "test"]
    _call_dbt(settings, arguments, events)


dbt._call_dbt = _call_without_tests

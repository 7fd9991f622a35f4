"""Marts: what the result of a dbt test says as an asset check."""

from typing import Final

import dagster as dg

from sequen_dagster.runtime.text import counted

# As dagster_dbt calls it; absent where the test could not be run.
_FAILED_ROWS: Final = "dagster_dbt/failed_row_count"
_OF_SETTINGS: Final = "completeness_"
_REMEDY: Final = (
    "`sequen-dagster run --full-refresh` builds all tables again. If the test fails after that, "
    "please report it with this name. `dbt test --select {name} "
    "--store-failures` keeps the rows (README of the dbt project: Call dbt yourself)."
)
_REMEDY_OF_SETTINGS: Final = (
    "It looks at the attributes of completeness: correct what the settings `completeness` or "
    "`completeness_file` change of them, and run again."
)


def describe_test(result: dg.AssetCheckResult) -> dg.AssetCheckResult:
    """Say in the description of a test's result what was found, where, and what to do next."""
    table = result.asset_key.path[-1] if result.asset_key else "the tables"
    name = str(result.check_name)
    rows = result.metadata.get(_FAILED_ROWS)
    failed = rows.value if rows else None
    if result.passed:
        description = f"No row of `{table}` that was looked at fails the test `{name}` of dbt."
    elif not isinstance(failed, int):
        description = (
            f"The test `{name}` of `{table}` could not be run: the log of the run says why, or "
            "`dbt/` of the home. Run again."
        )
    else:
        remedy = _REMEDY_OF_SETTINGS if name.startswith(_OF_SETTINGS) else _REMEDY
        fail = "fails" if failed == 1 else "fail"
        description = (
            f"{counted(failed, 'row')} of `{table}` {fail} the test `{name}` of dbt. "
            f"{remedy.format(name=name)}"
        )
    return result._replace(description=description)

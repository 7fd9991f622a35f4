"""Marts: what the result of a dbt test says as an asset check."""

from typing import Final

from sequen_dagster.runtime.text import counted

_OF_SETTINGS: Final = "completeness_"
_REMEDY: Final = (
    "`sequen-dagster run --full-refresh` builds all tables again. If the test fails after that, "
    "please report it with this name. `dbt test --select {name} --store-failures` keeps the rows "
    "(README of the dbt project: Call dbt yourself)."
)
_REMEDY_OF_SETTINGS: Final = (
    "It looks at the attributes of completeness: correct what the settings `completeness` or "
    "`completeness_file` change of them, and run again."
)


def describe_test(name: str, table: str, *, is_passed: bool, failed_rows: int | None) -> str:
    """Say what a test found, where, and what to do next.

    Args:
        name: the test's.
        table: the table that it looked at.
        is_passed: whether it passed.
        failed_rows: how many rows failed; None where the test could not be run.
    """
    if is_passed:
        return f"No row of `{table}` that was looked at fails the test `{name}` of dbt."
    if failed_rows is None:
        return (
            f"The test `{name}` of `{table}` could not be run: the log of the run says why, or "
            "`dbt/` of the home. Run again."
        )
    remedy = _REMEDY_OF_SETTINGS if name.startswith(_OF_SETTINGS) else _REMEDY
    fail = "fails" if failed_rows == 1 else "fail"
    return (
        f"{counted(failed_rows, 'row')} of `{table}` {fail} the test `{name}` of dbt. "
        f"{remedy.format(name=name)}"
    )

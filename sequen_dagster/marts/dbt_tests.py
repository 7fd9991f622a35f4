"""Marts: what the result of a dbt test says as an asset check.

A test looks at all rules of a table and returns a row a broken one. Of these dbt hands on only the
number, so the query of a test that failed is asked again for their names.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sequen_dagster.errors import BuildError
from sequen_dagster.home.layout import Home
from sequen_dagster.marts.warehouse import connect
from sequen_dagster.runtime.text import bulleted, counted
from sequen_dagster.settings import SequenSettings

_REF: Final = re.compile(r"ref\('(\w+)'\)")
_OF_SETTINGS: Final = "completeness_"
_REMEDY: Final = (
    "`sequen-dagster run --full-refresh` builds all tables again. If the test fails after that, "
    "please report it with these rules."
)
_REMEDY_OF_SETTINGS: Final = (
    "It looks at the attributes of completeness: correct what the settings `completeness` or "
    "`completeness_file` change of them, and run again."
)


@dataclass(frozen=True)
class BrokenRule:
    """A rule of a table that does not hold.

    Attributes:
        rule: what should hold, as a sentence without values of rows.
        broken_by: how many rows break it; of a rule on keys, how many keys.
    """

    rule: str
    broken_by: int


def list_rules(arguments: Mapping[str, Any]) -> list[str]:  # Any: dbt's manifest
    """The rules of a test `rules`, each as its query names it.

    Args:
        arguments: of the test, from dbt's manifest.
    """
    key = ", ".join(arguments["key"]).replace("'", "")
    relationships = [
        f"{each['column']} is in {_REF.findall(each['to'])[0]}"
        for each in arguments.get("relationships", ())
    ]
    accepted = [
        f"{column} is {' or '.join(str(value).lower() for value in values)}"
        for column, values in arguments.get("accepted_values", {}).items()
    ]
    given = [f"{column} is given" for column in arguments.get("not_null", ())]
    return [f"one row per {key}", *given, *accepted, *relationships, *arguments.get("queries", ())]


def read_broken_rules(settings: SequenSettings, name: str) -> tuple[BrokenRule, ...]:
    """Ask once more which rules a failed test found broken.

    Call it after dbt has ended, which has the database open until then, and before the build is
    finished, which empties the change logs that the test reads.

    Args:
        settings: the home. `writer_lock` is held.
        name: the test's.

    Raises:
        BuildError: dbt has left no query of this name.
    """
    query = next(Home(settings.home).dbt.compiled.rglob(f"{name}.sql"), None)
    if query is None:
        message = f"The test `{name}` failed, and its query is gone from `dbt/`. Run again."
        raise BuildError(message)
    with connect(settings) as warehouse:
        found = warehouse.sql(query.read_text(encoding="utf-8")).fetchall()
    return tuple(BrokenRule(rule, broken_by) for rule, broken_by in found)


def describe_test(
    name: str, table: str, *, is_passed: bool, broken: Sequence[BrokenRule] | None
) -> str:
    """Say which rules a test found broken, where, and what to do next.

    Args:
        name: the test's.
        table: the table that it is a check of.
        is_passed: whether it passed.
        broken: what it found; None where the test could not be run.
    """
    if is_passed:
        return f"All rows of `{table}` that were looked at keep the rules of the test `{name}`."
    if broken is None:
        return (
            f"The test `{name}` of `{table}` could not be run: the log of the run says why. Run "
            "again."
        )
    rules = [f"{each.rule}: broken by {counted(each.broken_by, 'case')}" for each in broken]
    remedy = _REMEDY_OF_SETTINGS if name.startswith(_OF_SETTINGS) else _REMEDY
    return (
        f"Of the rows of `{table}` that were looked at, some break "
        f"{counted(len(broken), 'rule')} of the test `{name}`:\n\n{bulleted(rules)}\n\n{remedy}"
    )

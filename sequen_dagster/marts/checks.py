"""Marts: the check that all tables equal a full refresh, run on request."""

from collections.abc import Iterable

import dagster as dg

from sequen_dagster.home.layout import Home
from sequen_dagster.marts.verify import Verification, verify
from sequen_dagster.names import NAMES
from sequen_dagster.settings import SequenSettings

# No run materializes the asset, so none of Dagster's own runs takes the check along.
WAREHOUSE = dg.AssetKey(NAMES.warehouse)
EQUALS_A_FULL_REFRESH = dg.AssetCheckKey(WAREHOUSE, "equals_a_full_refresh")


def build_marts_checks(
    settings: SequenSettings, *, tables: Iterable[dg.AssetKey]
) -> tuple[dg.AssetSpec, dg.AssetChecksDefinition]:
    """All tables together as an asset, and its check, which costs a full refresh.

    Run it from the asset's page, or by the job `sequen_verify`.

    Args:
        settings: the home, and the marts' settings.
        tables: keys of the tables that are compared.

    Returns:
        An external asset and its check. The check gives counts and names of columns, no keys.
    """
    warehouse = dg.AssetSpec(
        WAREHOUSE,
        deps=sorted(tables),
        group_name="marts",
        kinds={"duckdb"},
        owners=list(settings.owners),
        tags={NAMES.access_tag: "private"},
        metadata={"dagster/uri": dg.MetadataValue.path(str(Home(settings.home).warehouse))},
        description=(
            "All tables together, in the writer's database. The check rebuilds them from the lake "
            "elsewhere and compares them row for row: run it when you want proof."
        ),
    )

    @dg.asset_check(
        asset=WAREHOUSE,
        name=EQUALS_A_FULL_REFRESH.name,
        description="Every table equals a full refresh over the same commits. Run on demand.",
        blocking=False,
    )
    def equals_a_full_refresh(context: dg.AssetCheckExecutionContext) -> dg.AssetCheckResult:
        verification = verify(settings)
        context.log.info(
            "%d tables compared over %d commits: %d differ",
            verification.tables,
            verification.commits,
            len(verification.differences),
        )
        return dg.AssetCheckResult(
            passed=verification.is_equal,
            severity=dg.AssetCheckSeverity.ERROR,
            metadata=_metadata(verification),
        )

    return warehouse, equals_a_full_refresh


def _metadata(verification: Verification) -> dict[str, dg.MetadataValue | int]:
    return {
        "tables_compared": verification.tables,
        "tables_that_differ": len(verification.differences),
        "commits": verification.commits,
        "commits_that_the_lake_lost": verification.lost_commits,
        "differences": dg.MetadataValue.json(
            [
                {
                    "table": one.table,
                    "missing": one.missing,
                    "unexpected": one.unexpected,
                    "changed": one.changed,
                    "repeated": one.repeated,
                    "columns": list(one.columns),
                }
                for one in verification.differences
            ]
        ),
    }

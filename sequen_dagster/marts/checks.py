"""Marts: the check that all tables equal a full refresh, run on request."""

from collections.abc import Iterable
from typing import Final

import dagster as dg

from sequen_dagster.graph import Graph, KeyOf
from sequen_dagster.home.layout import Home
from sequen_dagster.marts.compare import describe_difference
from sequen_dagster.marts.verify import Verification, verify
from sequen_dagster.names import Names
from sequen_dagster.runtime.text import bulleted, counted
from sequen_dagster.settings import SequenSettings

# No run materializes the asset, so none of Dagster's own runs takes the check along.
EQUALS_A_FULL_REFRESH: Final = "equals_a_full_refresh"


def observed_warehouse(key: dg.AssetKey, home: Home, *, tables: int) -> dg.AssetMaterialization:
    """The warehouse as it was found, as an event of its asset, which no run materializes.

    Args:
        key: of `warehouse`.
        home: where it lies.
        tables: how many of its tables are public.
    """
    path = home.warehouse.absolute()
    return dg.AssetMaterialization(
        key,
        metadata={
            "dagster/uri": dg.MetadataValue.text(str(path)),
            "bytes": path.stat().st_size,
            "public_tables": tables,
        },
    )


def warehouse_spec(
    settings: SequenSettings, names: Names, key_of: KeyOf, *, tables: Iterable[str]
) -> dg.AssetSpec:
    """All tables together as an external asset.

    Args:
        settings: the home, the owners.
        names: of the pipeline.
        key_of: gives the key of an asset.
        tables: what people open, and what stays in the warehouse.
    """
    return dg.AssetSpec(
        names.warehouse,
        deps=sorted(map(key_of, tables)),
        group_name=names.group("marts"),
        kinds={"duckdb"},
        owners=list(settings.owners),
        tags={names.access_tag: "private"},
        metadata={"dagster/uri": dg.MetadataValue.text(str(Home(settings.home).warehouse))},
        description=(
            "All tables together, in the writer's database. The check rebuilds them from the lake "
            "elsewhere and compares them row for row: run it when you want proof."
        ),
    )


def build_warehouse_check(settings: SequenSettings, graph: Graph) -> dg.AssetChecksDefinition:
    """The check of the warehouse, which costs a full refresh.

    Run it from the asset's page, or by the job `sequen_verify`. It gives counts and names of
    columns, no keys.

    Args:
        settings: the home, and the marts' settings.
        graph: the assets.
    """

    @dg.asset_check(
        asset=graph.key(graph.names.warehouse),
        name=EQUALS_A_FULL_REFRESH,
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
            description=describe_verification(verification),
            metadata=_metadata(verification),
        )

    return equals_a_full_refresh


def describe_verification(verification: Verification) -> str:
    """What a comparison found and what to do next, without keys of rows."""
    commits = counted(verification.commits, "commit")
    tables = counted(verification.tables, "table")
    compared = f"{tables} compared with a full refresh over {commits}"
    if verification.is_equal:
        return f"{compared}: all equal."
    count = len(verification.differences)
    differ = "1 differs" if count == 1 else f"{count:,} differ" if count else "none differs"
    parts = [f"{compared}: {differ}."]
    if verification.differences:
        parts += [
            bulleted([describe_difference(one) for one in verification.differences]),
            (
                "`sequen-dagster run --full-refresh` rebuilds them, and `sequen-dagster verify` "
                "names some of the rows. Tables that differ are a fault of sequen-dagster: please "
                "report it."
            ),
        ]
    if verification.lost_commits:
        lost = counted(verification.lost_commits, "commit")
        are = "is" if verification.lost_commits == 1 else "are"
        parts.append(
            f"{lost} that the warehouse holds {are} gone from the lake: restore `lake/` of the "
            "home from a backup, or read the export files again with `sequen-dagster doctor "
            "--rebuild` and `sequen-dagster run`."
        )
    return "\n\n".join(parts)


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

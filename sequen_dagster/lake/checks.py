"""Lake: the checks of `validated_events`: what is wrong with the files as they are now.

In: the state of a home, as the ledger knows it. Out: a result for each check, whose description
says, in Markdown, what is wrong, where, and what to do next. A result depends on the state alone,
so it stays until that has changed; only what failed in the run at hand is more severe than before.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final, Self

import dagster as dg

from sequen_dagster.contract.scalars import utc_now
from sequen_dagster.exports.files import Listing
from sequen_dagster.home.layout import Home
from sequen_dagster.lake.current_files import (
    CurrentFiles,
    FailedFile,
    NewestFile,
    QuarantinedFile,
    UnreadFile,
)
from sequen_dagster.lake.drain import FileFailure
from sequen_dagster.lake.ledger import Ledger
from sequen_dagster.runtime.text import SHOWN, as_code, bulleted, counted, quoted
from sequen_dagster.settings import SequenSettings

FILES_READ: Final = "files_read"
COUNTS_RECONCILE: Final = "counts_reconcile"
ACCEPTED_SHARE: Final = "accepted_share"
EXPORTS_ARE_FRESH: Final = "exports_are_fresh"

_SHOWN_RULES: Final = 6


@dataclass(frozen=True)
class Expectations:
    """What the checks expect, and where the report is that says more.

    Attributes:
        min_accepted_percent: below it, `accepted_share` warns.
        fail_below_accepted_percent: below it, `accepted_share` fails.
        fresh_within_hours: age of the newest file above which `exports_are_fresh` warns.
        report: the report's page.
    """

    min_accepted_percent: int
    fail_below_accepted_percent: int
    fresh_within_hours: int
    report: Path

    @classmethod
    def of(cls, settings: SequenSettings) -> Self:
        """The expectations of these settings."""
        return cls(
            settings.min_accepted_percent,
            settings.fail_below_accepted_percent,
            settings.fresh_within_hours,
            Home(settings.home).serving.report_html,
        )


def lake_checks(asset: dg.AssetKey) -> list[dg.AssetCheckSpec]:
    """The checks of `validated_events`.

    Args:
        asset: its key.
    """
    return [
        dg.AssetCheckSpec(
            FILES_READ,
            asset=asset,
            description=(
                "Every file could be read, and the current version of every path as a whole. "
                "Looks at all files, not at those of the last run."
            ),
        ),
        dg.AssetCheckSpec(
            COUNTS_RECONCILE,
            asset=asset,
            description=(
                "records read = accepted + quarantined + skipped, in the current version of every "
                "path."
            ),
            blocking=True,
        ),
        dg.AssetCheckSpec(
            ACCEPTED_SHARE,
            asset=asset,
            description=(
                "The share of accepted records, over the current versions of all paths, is what "
                "the tiers of data ask for (setting `min_accepted_percent`)."
            ),
        ),
        dg.AssetCheckSpec(
            EXPORTS_ARE_FRESH,
            asset=asset,
            description=(
                "The newest file of all sources that was taken in is not older than the setting "
                "`fresh_within_hours`."
            ),
        ),
    ]


def check_lake(
    names: Iterable[str],
    ledger: Ledger,
    expected: Expectations,
    *,
    find_listings: Callable[[], Sequence[Listing]],
    failures: Sequence[FileFailure] = (),
) -> Iterator[dg.AssetCheckResult]:
    """Evaluate checks by the state that the ledger knows.

    Args:
        names: which checks.
        ledger: the home's, brought up to the commits.
        expected: what they expect.
        find_listings: what the locations hold now; called where a check asks for it.
        failures: what could not be read in the run at hand.

    Returns:
        A result for each of them, in the order of `lake_checks`.
    """
    wanted = set(names)
    if wanted & {FILES_READ, COUNTS_RECONCILE, ACCEPTED_SHARE}:
        current = ledger.current_files()
        if FILES_READ in wanted:
            files = [file for listing in find_listings() for file in listing.files]
            yield check_files_read(
                failures, ledger.failed_files(files), ledger.unread_files(), files=current.files
            )
        if COUNTS_RECONCILE in wanted:
            yield check_counts(current)
        if ACCEPTED_SHARE in wanted:
            yield check_accepted_share(current, expected)
    if EXPORTS_ARE_FRESH in wanted:
        yield check_freshness(ledger.newest_files(), expected, now=utc_now())


def check_files_read(
    failures: Sequence[FileFailure],
    failed: Sequence[FailedFile],
    unread: Sequence[UnreadFile],
    *,
    files: int,
) -> dg.AssetCheckResult:
    """Check that files could be read.

    Args:
        failures: what could not be read at all in the run at hand; this alone is an error.
        failed: what could not be read at all when it was tried last.
        unread: current versions that could not be read as a whole.
        files: how many current versions there are.
    """
    in_run = {(one.source, one.path) for one in failures}
    before = [one for one in failed if (one.source, one.path) not in in_run]
    not_at_all = [
        *((one.path, one.reason) for one in failures),
        *((one.path, one.why) for one in before),
    ]
    as_a_whole = [(one.path, one.why) for one in unread]
    if not not_at_all and not as_a_whole:
        description = (
            f"The current versions of {counted(files, 'file')} are read as a whole, and none "
            "waits to be read again."
        )
    else:
        description = "\n\n".join(
            [*_describe_not_at_all(not_at_all), *_describe_not_as_a_whole(as_a_whole)]
        )
    return dg.AssetCheckResult(
        check_name=FILES_READ,
        passed=not not_at_all and not as_a_whole,
        # What was taken in as one quarantined record is not a failure of the pipeline.
        severity=dg.AssetCheckSeverity.ERROR if failures else dg.AssetCheckSeverity.WARN,
        description=description,
        metadata={
            "failed_files": len(not_at_all),
            "unread_files": len(as_a_whole),
            "files": files,
            "reasons": [
                f"{quoted(path)}: {why}" for path, why in (*not_at_all[:SHOWN], *as_a_whole[:SHOWN])
            ],
        },
    )


def _describe_not_at_all(reasons: list[tuple[str, str]]) -> Iterator[str]:
    if reasons:
        yield (
            f"{counted(len(reasons), 'file')} could not be read at all, and nothing of "
            f"{'it' if len(reasons) == 1 else 'them'} is in the tables:\n{_list_files(reasons)}\n\n"
            "Remove what each reason names. The next runs try again by themselves; of a "
            "dead-lettered file they do so after `sequen-dagster replay --dead-lettered`, or when "
            "it changes."
        )


def _describe_not_as_a_whole(reasons: list[tuple[str, str]]) -> Iterator[str]:
    if reasons:
        it, has = ("it", "has") if len(reasons) == 1 else ("them", "have")
        yield (
            f"{counted(len(reasons), 'file')} could not be read as a whole, and none of the "
            f"records in {it} is in the tables:\n{_list_files(reasons)}\n\n"
            f"Send {it} again under the same path, in a form that is read. The check stays like "
            f"this until {it if it == 'it' else 'they'} {has} a new version."
        )


def _list_files(reasons: list[tuple[str, str]]) -> str:
    return bulleted([f"{as_code(path)}: {why}" for path, why in reasons])


def check_counts(current: CurrentFiles) -> dg.AssetCheckResult:
    """Check that records read went somewhere, in every current file."""
    counts = current.record_counts
    if current.unreconciled_files:
        lines = [
            f"{as_code(path)}: {own.records_read:,} read, {own.accepted:,} accepted, "
            f"{own.quarantined:,} quarantined, {own.skipped:,} skipped"
            for path, own in current.unreconciled
        ]
        description = (
            f"The record counts of {counted(current.unreconciled_files, 'file')} do not "
            f"reconcile:\n{bulleted(lines, total=current.unreconciled_files)}\n\n"
            "A commit with such counts is never written, so the ledger is wrong: run "
            "`sequen-dagster doctor --rebuild`, which makes it again from the commits. If the "
            "check fails after that, please report it."
        )
    else:
        description = (
            f"The current versions of {counted(current.files, 'file')}: {counts.records_read:,} "
            f"records read = {counts.accepted:,} accepted + {counts.quarantined:,} quarantined + "
            f"{counts.skipped:,} skipped."
        )
    return dg.AssetCheckResult(
        check_name=COUNTS_RECONCILE,
        passed=not current.unreconciled_files,
        severity=dg.AssetCheckSeverity.ERROR,
        description=description,
        metadata={
            "files": current.files,
            "files_that_do_not_reconcile": current.unreconciled_files,
            "records_read": counts.records_read,
            "accepted": counts.accepted,
            "quarantined": counts.quarantined,
            "skipped": counts.skipped,
        },
    )


def check_accepted_share(current: CurrentFiles, expected: Expectations) -> dg.AssetCheckResult:
    """Check that enough of the records of all current files are accepted."""
    accepted, validated = current.record_counts.accepted, current.validated
    is_enough = 100 * accepted >= expected.min_accepted_percent * validated
    is_far_below = 100 * accepted < expected.fail_below_accepted_percent * validated
    passed = is_enough and not is_far_below
    return dg.AssetCheckResult(
        check_name=ACCEPTED_SHARE,
        passed=passed,
        severity=dg.AssetCheckSeverity.ERROR if is_far_below else dg.AssetCheckSeverity.WARN,
        description=_describe_share(current, expected, passed=passed, is_far_below=is_far_below),
        metadata={
            # Cut, not rounded up to what it is not.
            **({"accepted_percent": _percent(accepted, validated)} if validated else {}),
            "min_accepted_percent": expected.min_accepted_percent,
            "fail_below_accepted_percent": expected.fail_below_accepted_percent,
            "accepted": accepted,
            "quarantined": current.record_counts.quarantined,
            "quarantined_by_rule": dg.MetadataValue.json(dict(current.quarantined_by_rule)),
            "most_quarantined": dg.MetadataValue.json(
                [f"{quoted(one.path)}: {one.quarantined:,}" for one in current.most_quarantined]
            ),
        },
    )


def _describe_share(
    current: CurrentFiles, expected: Expectations, *, passed: bool, is_far_below: bool
) -> str:
    accepted, validated = current.record_counts.accepted, current.validated
    if not validated:
        return "No record was read yet, so there is no share to look at."
    share = (
        f"{accepted:,} of {counted(validated, 'record')} in the current versions of "
        f"{counted(current.files, 'file')} are accepted: {_percent(accepted, validated)} %, "
        f"needed: {expected.min_accepted_percent} % (`min_accepted_percent`)"
    )
    if passed:
        return f"{share}."
    rules = [f"{rule} {records:,}" for rule, records in current.quarantined_by_rule]
    more = ", …" if len(rules) > _SHOWN_RULES else ""
    with_any = current.most_quarantined[:_SHOWN_RULES]
    below = (
        f" They are below {expected.fail_below_accepted_percent} % "
        "(`fail_below_accepted_percent`), so the check fails."
        if is_far_below
        else " With fewer no tier of data is reached."
    )
    return (
        f"{share}.{below}\n"
        f"Quarantined, by rule (a record may break several): {', '.join(rules[:_SHOWN_RULES])}"
        f"{more}.\nMost of them are in:\n{bulleted(list(map(_describe_file, with_any)))}\n\n"
        "Fix what sends them: What to fix first in the report says what each rule costs "
        f"({expected.report}#fixes), and the table `quarantined_events` of the warehouse has every "
        "record with its line. Send the files again under the same paths; after a change of the "
        "settings, `sequen-dagster replay --quarantined`. The check stays like this until then."
    )


def _describe_file(one: QuarantinedFile) -> str:
    return f"{as_code(one.path)}: {one.quarantined:,} of {counted(one.records_read, 'record')}"


def check_freshness(
    newest: Sequence[NewestFile], expected: Expectations, *, now: datetime
) -> dg.AssetCheckResult:
    """Check that the newest file of all sources is not too old.

    Args:
        newest: the newest of each source.
        expected: how old it may be.
        now: this moment, UTC without zone.
    """
    limit = f"{expected.fresh_within_hours:,} hours (`fresh_within_hours`)"
    latest = max(newest, key=lambda one: one.received_at, default=None)
    age = now - latest.received_at if latest else timedelta(0)
    hours = round(age.total_seconds() / 3600, 1)
    is_fresh = age <= timedelta(hours=expected.fresh_within_hours)
    if latest is None:
        description = f"No file was taken in yet. From the first on, one has to arrive in {limit}."
    else:
        arrived = (
            f"The newest file, {as_code(latest.path)} of source {latest.source}, arrived "
            f"{hours:,} hours ago"
        )
        description = (
            f"{arrived}; expected: one in {limit}."
            if is_fresh
            else (
                f"{arrived}, and one is expected in {limit}. Look whether what writes the exports "
                "still runs, and whether files wait in a location: `sequen-dagster doctor` says "
                "what was found and passed over. If files come less often, raise "
                "`fresh_within_hours`."
            )
        ) + _describe_sources(newest)
    return dg.AssetCheckResult(
        check_name=EXPORTS_ARE_FRESH,
        passed=is_fresh,
        severity=dg.AssetCheckSeverity.WARN,
        description=description,
        metadata={
            "hours_since_the_newest_file": hours,
            "fresh_within_hours": expected.fresh_within_hours,
        },
    )


def _describe_sources(newest: Sequence[NewestFile]) -> str:
    """Of several sources, the newest of each."""
    if len(newest) < 2:
        return ""
    lines = [
        f"{one.source}: {as_code(one.path)}, {one.received_at:%Y-%m-%d %H:%M} UTC" for one in newest
    ]
    return f"\nThe newest of each source:\n{bulleted(lines)}"


def _percent(part: int, whole: int) -> float:
    return 10_000 * part // whole / 100

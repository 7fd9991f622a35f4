"""What `sequen-dagster run` ends with: a summary that a person likes to read."""

from collections.abc import Sequence
from typing import Any, Final

from rich.console import Group, RenderableType
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from sequen_dagster.exports.files import ExportFile
from sequen_dagster.home.layout import Home
from sequen_dagster.lake.replay import Choice, ReplayPlan
from sequen_dagster.marts.verify import Verification
from sequen_dagster.operations.run import RunOutcome
from sequen_dagster.reports.rendering import describe_conflict, describe_repeats
from sequen_dagster.runtime.text import counted, quoted
from sequen_dagster.settings import SequenSettings
from sequen_dagster.settings.completeness import TIERS

_SHOWN_FILES: Final = 20


def render_outcome(settings: SequenSettings, outcome: RunOutcome) -> RenderableType:
    """The outcome of a run for a terminal.

    Args:
        settings: where the files are.
        outcome: what `run_pipeline` gave.

    Returns:
        Counts, sessions, attribution, tiers, files and times; after a failure the times only.
    """
    if not outcome.summary:
        return Group(*_asked(outcome), _times(outcome))
    return Group(
        _record_counts(outcome),
        _tables(outcome.summary),
        _tiers(outcome.summary),
        _files(settings),
        *_asked(outcome),
        _times(outcome),
    )


def render_verification(verification: Verification) -> Text:
    """What `verify` found, for a terminal alone: it shows keys of rows.

    Args:
        verification: what was found.

    Returns:
        A line for each table that differs and for some of its rows, and a last line that counts.
    """
    lines = []
    for one in verification.differences:
        counts = [
            f"{count:,} {kind}"
            for kind, count in (
                ("missing", one.missing),
                ("unexpected", one.unexpected),
                ("changed", one.changed),
                ("repeated", one.repeated),
            )
            if count
        ]
        where = f" in {', '.join(one.columns)}" if one.columns else ""
        lines += [f"{one.table}: {', '.join(counts) or 'other columns'}{where}"]
        lines += [f"    {key}" for key in one.keys]
    if verification.lost_commits:
        lost = counted(verification.lost_commits, "commit")
        lines.append(f"{lost} that the warehouse holds are gone from the lake")
    equal = counted(verification.tables - len(verification.differences), "table")
    commits = counted(verification.commits, "commit")
    differing = len(verification.differences)
    lines.append(f"{equal} equal{f', {differing} differ' if differing else ''} ({commits})")
    if differing:
        lines.append("`sequen-dagster run --full-refresh` rebuilds them. Please report it.")
    return Text("\n".join(lines))


def render_plan(
    plan: ReplayPlan, choice: Choice, *, dead_lettered: Sequence[ExportFile] = ()
) -> Text:
    """What `replay` would do.

    Args:
        plan: what `plan_replay` gave.
        choice: what it was asked for.
        dead_lettered: files that would be tried again.

    Returns:
        A line that counts, and one for each file; of many, the first.
    """
    lines = []
    if dead_lettered:
        lines.append(f"{counted(len(dead_lettered), 'dead-lettered file')} to try again")
        lines += _first([quoted(file.path) for file in dead_lettered])
    if plan.jobs or plan.left:
        lines.append(f"{counted(len(plan.jobs), 'batch')} to validate again")
        lines += _first([quoted(job.file.path) for job in plan.jobs])
    if plan.left:
        lines.append(f"{counted(len(plan.left), 'batch')} left unchanged")
        lines += _first([f"{quoted(one.path)}: {one.reason}" for one in plan.left])
    if not lines:
        which = "stale" if choice == Choice(is_stale=True) else "to be validated again"
        batches = counted(plan.current, "batch")
        lines.append(f"Nothing is {which}: the tables are made of {batches}.")
    return Text("\n".join(lines))


def _first(lines: list[str]) -> list[str]:
    more = ["    …"] if len(lines) > _SHOWN_FILES else []
    return [f"    {line}" for line in lines[:_SHOWN_FILES]] + more


def _record_counts(outcome: RunOutcome) -> Panel:
    counts = outcome.summary["record_counts"]
    lines = [
        (
            f"{counted(counts['records_read'], 'record')} read "
            f"from {counted(counts['files'], 'file')} "
            f"({outcome.new_files:,} new) = {counts['accepted']:,} accepted + "
            f"{counts['quarantined']:,} quarantined + {counts['skipped']:,} skipped"
        ),
        (
            f"{counts['duplicate_records']:,} of the accepted were duplicates, "
            f"{counts['conflicting_records']:,} of these with other content"
        ),
    ]
    rules = [f"{row['rule']} {row['records']:,}" for row in outcome.summary["quarantined_by_rule"]]
    if rules:
        lines.append(f"quarantined: {', '.join(rules[:6])}{', …' if len(rules) > 6 else ''}")
    lines += [
        f"ids are not unique: source {one['source']}: {describe_conflict(one)}"
        for one in outcome.summary["conflicts"]
        if one["is_too_many"]
    ]
    lines += _hints(outcome.summary["hints"])
    lines += _stale(outcome.summary["stale"])
    return Panel(Text("\n".join(lines)), title="records", title_align="left")


def _hints(hints: list[dict[str, Any]]) -> list[str]:  # Any: the report's JSON
    return [
        f"{quoted(hint['path'])}{_and_others(hint['files'] - 1)}: {hint['text']}" for hint in hints
    ]


def _and_others(files: int) -> str:
    return f" and {counted(files, 'other file')}" if files else ""


def _stale(stale: dict[str, Any]) -> list[str]:  # Any: the report's JSON
    if not stale["batches"]:
        return []
    were = "was" if stale["batches"] == 1 else "were"
    shown = ", ".join(repr(path) for path in stale["paths"])
    more = ", …" if stale["batches"] > len(stale["paths"]) else ""
    count = counted(stale["batches"], "batch")
    remedy = "sequen-dagster replay --stale"
    return [f"{count} {were} validated by an older contract: {remedy} ({shown}{more})"]


def _tables(summary: dict[str, Any]) -> Panel:  # Any: the report's JSON
    sessions, attribution = summary["sessions"], summary["attribution"]
    lines = [
        (
            f"{counted(summary['events']['events'], 'event')}, "
            f"{counted(sessions['sessions'], 'session')} "
            f"({sessions['given']:,} given, {sessions['derived']:,} derived) "
            f"of {counted(sessions['visitors'], 'visitor')}, {sessions['converted']:,} converted"
        ),
        _listed("clicks matched by", summary["clicks_by_match_method"]),
        (
            f"{counted(attribution['conversions'], 'conversion')}, "
            f"{counted(attribution['units'], 'unit')}, "
            f"{counted(attribution['touches'], 'touch')}; "
            + _listed("units by", summary["units_by_basis"])
        ),
        *describe_repeats(summary),
    ]
    return Panel(Text("\n".join(lines)), title="sessions and attribution", title_align="left")


def _listed(label: str, rows: list[dict[str, Any]]) -> str:
    shown = ", ".join(f"{row['name']} {row['count']:,}" for row in rows)
    return f"{label} {shown or 'nothing'}"


def _tiers(summary: dict[str, Any]) -> Table:
    table = Table(title="tiers of data", title_justify="left")
    for column in ("source", "tier", "reached", "score", "what is missing"):
        table.add_column(column)
    own = {row["attribute"]: row["tier"] for row in summary["attributes"]}
    rows = sorted(summary["tiers"], key=lambda tier: (tier["source"], TIERS.index(tier["tier"])))
    # With one source, "all sources together" says the same once more.
    names = {row["source"] for row in rows}
    for row in rows:
        if len(names) == 2 and row["source"] == "(all)":
            continue
        reached = Text("yes", style="green") if row["is_reached"] else Text("no", style="yellow")
        missing = [one for one in row["blocking_attributes"] if own.get(one) == row["tier"]]
        below = len(row["blocking_attributes"]) - len(missing)
        if not row["is_accepted_share_met"]:
            missing.append("enough accepted records")
        lower = [f"{below} of the tiers below"] if below > 0 else []
        table.add_row(
            Text(row["source"]),
            row["tier"],
            reached,
            f"{row['score']:.2f}",
            ", ".join([*missing, *lower]) or "-",
        )
    return table


def _files(settings: SequenSettings) -> Panel:
    home = Home(settings.home)
    lines = [
        f"report     {home.serving.report_html}",
        f"snapshot   {home.serving.snapshot}",
        *([f"docs       {home.serving.docs}"] if settings.dbt_docs else []),
        f"training   {home.serving.training / 'impressions.parquet'}",
        f"warehouse  {home.warehouse}",
        f"lake       {home.lake.root}",
    ]
    return Panel(Text("\n".join(lines), no_wrap=True), title="files", title_align="left")


def _asked(outcome: RunOutcome) -> list[Text]:
    """What this run did beyond taking in new files."""
    lines = []
    if outcome.revalidated or outcome.not_revalidated:
        left = f"; {outcome.not_revalidated:,} left unchanged" if outcome.not_revalidated else ""
        lines.append(f"{counted(outcome.revalidated, 'batch')} validated again{left}")
        lines += [f"    {path}" for path in outcome.left_paths]
    if outcome.build.startswith("full refresh"):
        lines.append(outcome.build)
    return [Text(line) for line in lines]


def _times(outcome: RunOutcome) -> Text:
    times = [f"{stage} {seconds:.1f} s" for stage, seconds in outcome.seconds_by_stage.items()]
    return Text(f"time by stage: {', '.join(times) or 'none finished'}")

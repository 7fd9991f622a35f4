"""What `sequen-dagster run` ends with: a summary that a person likes to read."""

from typing import Any

from rich.console import Group, RenderableType
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from sequen_dagster.home.layout import Home
from sequen_dagster.operations.run import RunOutcome
from sequen_dagster.reports.rendering import describe_conflict, describe_repeats
from sequen_dagster.runtime.text import counted, quoted
from sequen_dagster.settings import SequenSettings
from sequen_dagster.settings.completeness import TIERS


def render_outcome(settings: SequenSettings, outcome: RunOutcome) -> RenderableType:
    """The outcome of a run for a terminal.

    Args:
        settings: where the files are.
        outcome: what `run_pipeline` gave.

    Returns:
        Counts, sessions, attribution, tiers, files and times; after a failure the times only.
    """
    if not outcome.summary:
        return Group(*_render_extra_work(outcome), _render_times(outcome))
    return Group(
        _render_record_counts(outcome),
        _render_tables(outcome.summary),
        _render_tiers(outcome.summary),
        _render_files(settings),
        *_render_extra_work(outcome),
        _render_times(outcome),
    )


def _render_record_counts(outcome: RunOutcome) -> Panel:
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
    lines += _describe_hints(outcome.summary["hints"])
    lines += _describe_stale(outcome.summary["stale"])
    return Panel(Text("\n".join(lines)), title="records", title_align="left")


def _describe_hints(hints: list[dict[str, Any]]) -> list[str]:  # Any: the report's JSON
    return [
        f"{quoted(hint['path'])}{_count_others(hint['files'] - 1)}: {hint['text']}"
        for hint in hints
    ]


def _count_others(files: int) -> str:
    return f" and {counted(files, 'other file')}" if files else ""


def _describe_stale(stale: dict[str, Any]) -> list[str]:  # Any: the report's JSON
    if not stale["batches"]:
        return []
    were = "was" if stale["batches"] == 1 else "were"
    shown = ", ".join(repr(path) for path in stale["paths"])
    more = ", …" if stale["batches"] > len(stale["paths"]) else ""
    count = counted(stale["batches"], "batch")
    remedy = "sequen-dagster replay --stale"
    return [f"{count} {were} validated by an older contract: {remedy} ({shown}{more})"]


def _render_tables(summary: dict[str, Any]) -> Panel:  # Any: the report's JSON
    sessions, attribution = summary["sessions"], summary["attribution"]
    lines = [
        (
            f"{counted(summary['events']['events'], 'event')}, "
            f"{counted(sessions['sessions'], 'session')} "
            f"({sessions['given']:,} given, {sessions['derived']:,} derived) "
            f"of {counted(sessions['visitors'], 'visitor')}, {sessions['converted']:,} converted"
        ),
        _describe_counts("clicks matched by", summary["clicks_by_match_method"]),
        (
            f"{counted(attribution['conversions'], 'conversion')}, "
            f"{counted(attribution['units'], 'unit')}, "
            f"{counted(attribution['touches'], 'touch')}; "
            + _describe_counts("units by", summary["units_by_basis"])
        ),
        *describe_repeats(summary),
    ]
    return Panel(Text("\n".join(lines)), title="sessions and attribution", title_align="left")


def _describe_counts(label: str, rows: list[dict[str, Any]]) -> str:
    shown = ", ".join(f"{row['name']} {row['count']:,}" for row in rows)
    return f"{label} {shown or 'nothing'}"


def _render_tiers(summary: dict[str, Any]) -> Table:
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


def _render_files(settings: SequenSettings) -> Panel:
    home = Home(settings.home)
    lines = [
        f"report     {home.serving.report_html}",
        f"snapshot   {home.serving.snapshot}",
        *([f"docs       {home.serving.docs}"] if settings.dbt_docs else []),
        f"training   {home.serving.training_manifest}",
        f"warehouse  {home.warehouse}",
        f"lake       {home.lake.root}",
    ]
    return Panel(Text("\n".join(lines), no_wrap=True), title="files", title_align="left")


def _render_extra_work(outcome: RunOutcome) -> list[Text]:
    """What this run did beyond taking in new files."""
    lines = []
    if outcome.revalidated or outcome.not_revalidated:
        left = f"; {outcome.not_revalidated:,} left unchanged" if outcome.not_revalidated else ""
        lines.append(f"{counted(outcome.revalidated, 'batch')} validated again{left}")
        lines += [f"    {path}" for path in outcome.left_paths]
    if outcome.build.startswith("full refresh"):
        lines.append(outcome.build)
    return [Text(line) for line in lines]


def _render_times(outcome: RunOutcome) -> Text:
    times = [f"{stage} {seconds:.1f} s" for stage, seconds in outcome.seconds_by_stage.items()]
    return Text(f"time by stage: {', '.join(times) or 'none finished'}")

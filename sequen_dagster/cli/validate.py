"""`sequen-dagster validate`: what the contract says of export files, for people and for CI."""

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click
from rich.console import Group
from rich.table import Table
from rich.text import Text

from sequen_dagster.cli.options import (
    EXIT_FAILED,
    console,
    exit_on_error,
    read_settings,
    set_option,
    strict_option,
)
from sequen_dagster.runtime.text import counted, printable, quoted

if TYPE_CHECKING:
    from sequen_dagster.contract.warnings import Counts
    from sequen_dagster.operations.validate import Validation

# Of files, hints and records; the counts are always complete.
_SHOWN: Final = 20


@click.command()
@click.argument("path", type=click.Path(exists=True, path_type=Path))
@click.option(
    "--format",
    "form",
    type=click.Choice(["human", "json", "github"]),
    default="human",
    show_default=True,
    help="How to print; github gives annotations for its checks.",
)
@set_option
@strict_option
def validate(*, path: Path, form: str, overrides: tuple[str, ...], strict: bool) -> None:
    """Validate export files by the contract alone; nothing is written.

    Exit 1 if a file could not be read as a whole.
    """
    from sequen_dagster.operations.validate import validate_sources

    settings = read_settings(overrides, exports=path.resolve())
    with exit_on_error():
        outcome = validate_sources(settings)
    match form:
        case "json":
            click.echo(json.dumps(outcome.as_json(), indent=2))
        case "github":
            for line in render_annotations(outcome):
                click.echo(line)
        case _:
            console.print(render_summary(outcome))
            for text in render_problems(outcome):
                console.print(text, soft_wrap=True)
    is_closed = any(listing.closed for listing in outcome.listings)
    is_bad = bool(outcome.unread or outcome.failed or is_closed) or (
        strict and bool(outcome.record_counts.quarantined)
    )
    sys.exit(EXIT_FAILED if is_bad else 0)


def render_summary(outcome: "Validation") -> Group:
    """The outcome for a terminal; names are shown as text, never as markup."""
    from sequen_dagster.contract.hints import describe_hint

    record_counts = outcome.record_counts
    head = Text(
        f"{counted(outcome.files, 'file')}, {counted(record_counts.records_read, 'record')}: "
        f"{record_counts.accepted:,} accepted, {record_counts.quarantined:,} quarantined"
    )
    parts: list[Text | Table] = [head]
    for title, counts in (("broken rules", outcome.errors), ("warnings", outcome.warnings)):
        if counts:
            parts.append(_render_counts(title, counts))
    parts += [Text(line) for line in _describe_conflicts(outcome)]
    for path, hint in list(outcome.hints.items())[:_SHOWN]:
        parts.append(Text(f"{quoted(path)}: {describe_hint(hint)}"))
    if outcome.findings:
        table = Table(title="first quarantined records", title_justify="left")
        for column in ("file", "line", "item", "rules"):
            table.add_column(column)
        for one in outcome.findings[:_SHOWN]:
            table.add_row(
                Text(quoted(one.path)), str(one.line), str(one.item), ", ".join(one.rules)
            )
        parts.append(table)
    return Group(*parts)


def render_problems(outcome: "Validation") -> Iterator[Text]:
    """What follows on a terminal, a line each however long: files not read, files passed over."""
    for one in outcome.unread[:_SHOWN]:
        yield Text(f"not read {quoted(one.path)}: {', '.join(one.rules)}: {one.message}")
    if len(outcome.unread) > _SHOWN:
        yield Text(f"{counted(len(outcome.unread), 'file')} could not be read as a whole.")
    for path, why in list(outcome.failed.items())[:_SHOWN]:
        yield Text(f"not read {quoted(path)}: {why}")
    if len(outcome.failed) > _SHOWN:
        yield Text(f"{counted(len(outcome.failed), 'file')} could not be opened.")
    for listing in outcome.listings:
        if listing.is_reportable:
            yield Text(f"exports {listing}")


def render_annotations(outcome: "Validation") -> Iterator[str]:
    """One GitHub workflow command a finding, and one for what was passed over."""
    for one in outcome.findings:
        why = f" ({printable(one.message)})" if one.message else ""
        yield _annotate(one.path, max(one.line, 1), f"{', '.join(one.rules)}{why}")
    for path, why in outcome.failed.items():
        yield _annotate(path, 1, f"not read: {printable(why)}")
    for line in _describe_conflicts(outcome):
        yield f"::warning::{_escape(line)}"
    for listing in outcome.listings:
        if listing.is_reportable:
            yield f"::{'notice' if listing.files else 'warning'}::{_escape(str(listing))}"


def _annotate(path: str, line: int, text: str) -> str:
    # A path that needs spelling out marks no file then, and breaks out of no line either.
    file = _escape(printable(path)).replace(":", "%3A").replace(",", "%2C")
    return f"::error file={file},line={line}::{_escape(text)}"


def _escape(text: str) -> str:
    return text.replace("%", "%25")


def _describe_conflicts(outcome: "Validation") -> list[str]:
    """The sentences about ids that stand for different events."""
    too_many = "ids are not unique: "
    return [
        f"{too_many if one.is_too_many else ''}source {one.source}: "
        f"{'about ' if one.is_estimate else ''}{one}"
        for one in outcome.conflicts
    ]


def _render_counts(title: str, counts: "Counts") -> Table:
    table = Table(title=title, title_justify="left")
    table.add_column("type")
    table.add_column("rule")
    table.add_column("records", justify="right")
    for (event_type, rule), records in counts.most_common():
        table.add_row(Text(printable(event_type)), rule, f"{records:,}")
    return table

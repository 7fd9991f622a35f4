"""`sequen-dagster report`: make the report from what is published, and show it."""

import json
from pathlib import Path

import click
from rich.markdown import Markdown

from sequen_dagster.cli.options import (
    console,
    error_console,
    exit_on_error,
    home_option,
    read_settings,
    set_option,
)
from sequen_dagster.home.layout import Home


@click.command()
@home_option
@set_option
@click.option("--open", "opens", is_flag=True, help="Open the page in a browser.")
@click.option(
    "--diff",
    "against",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    metavar="PREVIOUS",
    help="Compare with this report.json (default: the last report of an earlier day).",
)
@click.option("--json-schema", is_flag=True, help="Only print the JSON Schema of report.json.")
def report(
    *,
    home: Path | None,
    overrides: tuple[str, ...],
    opens: bool,
    against: Path | None,
    json_schema: bool,
) -> None:
    """Make the report again from the published snapshot; no run is needed.

    Writes report.html, report.md, report.json and what lies beside them into `serving/`, and
    prints the report.
    """
    if json_schema:
        from sequen_dagster.reports.document.report import report_schema

        click.echo(json.dumps(report_schema(), indent=2))
        return
    settings = read_settings(overrides, needs_exports=False, needs_home="existing", home=home)
    with error_console.status("making the report"), exit_on_error():
        from sequen_dagster.reports.files import make_report
        from sequen_dagster.reports.options import report_options

        written = make_report(Home(settings.home), report_options(settings), against=against)
    console.print(Markdown(written.markdown))
    console.print(f"\n{written.page}", soft_wrap=True, markup=False)
    if opens:
        click.launch(written.page.as_uri())

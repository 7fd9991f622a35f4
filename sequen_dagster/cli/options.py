"""What every command of the command line shares: consoles, options, exit codes, settings."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, NoReturn

import click
from rich.console import Console
from rich.markup import escape
from rich.text import Text

from sequen_dagster.errors import LockTimeoutError, SequenError, SettingsError
from sequen_dagster.runtime.progress import OnProgress
from sequen_dagster.runtime.text import printable
from sequen_dagster.settings import SequenSettings, load_settings

EXIT_FAILED: Final = 1
EXIT_USAGE: Final = 2
EXIT_LOCKED: Final = 3

console = Console(highlight=False)
error_console = Console(stderr=True, highlight=False)

exports_option = click.option(
    "--exports",
    help="Location of the export files: a folder, one file, or an address such as "
    "s3://bucket/prefix (default exports, or SEQUEN_EXPORTS).",
)
home_option = click.option(
    "--home",
    type=click.Path(file_okay=False, path_type=Path),
    help="Directory for everything that is written (default .sequen, or SEQUEN_HOME).",
)
set_option = click.option(
    "--set",
    "overrides",
    multiple=True,
    metavar="KEY=VALUE",
    help="Override a setting, such as session_timeout_minutes=45.",
)
strict_option = click.option("--strict", is_flag=True, help="Exit 1 if any record is quarantined.")
dry_run_option = click.option("--dry-run", is_flag=True, help="Only say what would be done.")


def read_settings(
    overrides: tuple[str, ...], *, needs_exports: bool = True, **given: Any
) -> SequenSettings:
    """Settings from the arguments of a command; ends the process where they cannot work.

    Args:
        overrides: what `--set` gave.
        needs_exports: whether every location of exports has to be there.
        **given: settings by name; `None` means "not given".
    """
    # Any: settings of all types; load_settings checks them.
    values = dict(given)
    for override in overrides:
        name, separator, value = override.partition("=")
        if not separator:
            exit_with_error(f"--set takes KEY=VALUE, not {override!r}.", EXIT_USAGE)
        values[name] = value
    with exit_on_error():
        settings = load_settings(Path.cwd(), **values)
    locations = [source.exports for source in settings.sources]
    missing = [one for one in locations if isinstance(one, Path) and not one.exists()]
    for location in missing if needs_exports else []:
        exit_with_error(
            f"Location {str(location)!r} does not exist. Name the folder that holds "
            "your export files with --exports.",
            EXIT_USAGE,
        )
    return settings


@contextmanager
def show_progress(first: str) -> Iterator[OnProgress]:
    """Show what is being done in a status line, while the block runs.

    Args:
        first: what the line says before there is any progress.

    Yields:
        What is to be called with (stage, message).
    """
    with error_console.status(first) as status:
        yield lambda stage, message: status.update(describe_progress(stage, message))


def describe_progress(stage: str, message: str) -> Text:
    """A step of a run for the status line: names of files are not markup there."""
    return Text(printable(f"{stage}: {message}"))


@contextmanager
def exit_on_error() -> Iterator[None]:
    """End the process with a sentence and an exit code where the block raises an error of ours."""
    try:
        yield
    except SequenError as error:
        exit_with_error(str(error), exit_code_of(error))


def exit_code_of(error: SequenError) -> int:
    """The exit code that an error of ours means."""
    if isinstance(error, LockTimeoutError):
        return EXIT_LOCKED
    return EXIT_USAGE if isinstance(error, SettingsError) else EXIT_FAILED


def exit_with_error(message: str, code: int) -> NoReturn:
    """Say what went wrong and end the process."""
    error_console.print(f"[red]error[/red] {escape(message)}", soft_wrap=True)
    sys.exit(code)

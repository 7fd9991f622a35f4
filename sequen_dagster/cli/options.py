"""What every command of the command line shares: consoles, options, exit codes, settings."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, Literal, NoReturn, TypeVar

import click
from rich.console import Console
from rich.markup import escape
from rich.text import Text

from sequen_dagster.errors import (
    ExportsError,
    LockTimeoutError,
    ReportError,
    SequenError,
    SettingsError,
    StorageError,
)
from sequen_dagster.home.layout import Home
from sequen_dagster.home.owner_only import owner_only_files
from sequen_dagster.runtime.progress import OnProgress, counting_records
from sequen_dagster.runtime.progress_lines import ProgressLines
from sequen_dagster.runtime.text import printable
from sequen_dagster.settings import SequenSettings, load_settings

EXIT_FAILED: Final = 1
EXIT_USAGE: Final = 2
EXIT_LOCKED: Final = 3
# What each means, in every command.
EXIT_CODES: Final = {
    0: "all that was asked for is done, and nothing is wrong",
    EXIT_FAILED: "a file, a check or a stage failed, or what was looked at is wrong",
    EXIT_USAGE: "the settings, the arguments, or a place that they name cannot be used; "
    "nothing was begun",
    EXIT_LOCKED: "another process held a lock of the home for too long",
}
# What a command needs of the home: nothing, that it can be made and written, or that it is there.
HomeNeed = Literal["nothing", "writable", "existing"]
_Command = TypeVar("_Command", bound=click.Command)

# Where the context of the command line keeps the home of the command.
HOME_KEY: Final = "sequen_dagster.home"

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


def list_exit_codes(command: _Command) -> _Command:
    """Have the help of a command end with the exit codes."""
    lines = [f"  {code}  {meaning}" for code, meaning in EXIT_CODES.items()]
    command.epilog = "\n".join(["\b", "Exit codes:", *lines])
    return command


def read_settings(
    overrides: tuple[str, ...],
    *,
    needs_exports: bool = True,
    needs_home: HomeNeed = "nothing",
    **given: Any,
) -> SequenSettings:
    """Settings from the arguments of a command; ends the process where they cannot work.

    Args:
        overrides: what `--set` gave.
        needs_exports: whether every location of exports has to be there, and open to this process.
        needs_home: what the command does with the home.
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
    click.get_current_context().find_root().meta[HOME_KEY] = settings.home
    if needs_exports:
        _check_exports(settings)
    _check_home(settings.home, needs_home)
    return settings


def _check_exports(settings: SequenSettings) -> None:
    # Polars and Arrow take long to import; `--help` does without.
    from sequen_dagster.exports.files import check_location

    for source in settings.sources:
        location = source.exports
        with exit_on_error():
            if isinstance(location, Path) and not _is_there(location):
                message = (
                    f"Location {str(location)!r} does not exist. Name the folder that holds your "
                    "export files with --exports."
                )
                raise ExportsError(message)
            check_location(source)


def _is_there(path: Path) -> bool:
    """Whether a path exists; one that cannot be looked at may."""
    try:
        path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError:
        return True
    return True


def _check_home(home: Path, need: HomeNeed) -> None:
    if need == "nothing":
        return
    if need == "existing" and not _is_there(home):
        exit_with_error(
            f"Home {str(home)!r} does not exist. Name the directory that a run has written with "
            "--home, or begin with `sequen-dagster run`.",
            EXIT_USAGE,
        )
    try:
        with owner_only_files():
            Home(home).make()
    except StorageError as error:
        exit_with_error(str(error), EXIT_USAGE)


@contextmanager
def show_progress(first: str) -> Iterator[OnProgress]:
    """Show what is being done while the block runs: on a terminal in a status line, else in lines.

    Args:
        first: what the line says before there is any progress.

    Yields:
        What is to be called with (stage, message).
    """
    if error_console.is_terminal:
        with error_console.status(first) as status:
            yield lambda stage, message: status.update(describe_progress(stage, message))
        return
    lines = ProgressLines(_print_line)
    with lines.speaking(), counting_records(lines.count_records):
        yield lines.note


def _print_line(line: str) -> None:
    error_console.print(Text(line), soft_wrap=True)


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
    is_unusable = isinstance(error, SettingsError | ExportsError | ReportError)
    return EXIT_USAGE if is_unusable else EXIT_FAILED


def exit_with_error(message: str, code: int) -> NoReturn:
    """Say what went wrong and end the process."""
    error_console.print(f"[red]error[/red] {escape(message)}", soft_wrap=True)
    sys.exit(code)

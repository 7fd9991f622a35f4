"""Marts: dbt in this process, called for a home.

A process of its own would import for two seconds and read the project for another before it builds
the first table; here most is imported already, and the project comes parsed. dbt runs in a thread,
so that what it says can be passed on while it works.
"""

import atexit
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from queue import SimpleQueue
from typing import Any, Final

from sequen_dagster.errors import BuildError
from sequen_dagster.home.layout import Home
from sequen_dagster.marts.project import parsed_project, project_dir, vars_arguments
from sequen_dagster.settings import SequenSettings

# An event of dbt as dagster_dbt reads it from dbt's JSON: `info` and `data`.
DbtEvent = Mapping[str, Any]  # Any: dbt's own
# The events that say how a node ended; of the others only the text is of use.
_RESULTS: Final = ("LogModelResult", "LogSeedResult", "LogTestResult")
_LEVELS: Final = ("info", "warn", "error")
# dbt keeps its flags and its adapter in the process.
_ONE_AT_A_TIME: Final = threading.Lock()
_RUNNING: Final[set[threading.Thread]] = set()
_MAX_ERRORS_SHOWN: Final = 5
_STOP_SECONDS: Final = 30


@dataclass(frozen=True)
class _Ended:
    """How a call ended: with dbt's message, or with a fault that is none of dbt's errors."""

    is_success: bool
    message: str = ""
    fault: BaseException | None = None


def stream_dbt(settings: SequenSettings, arguments: Sequence[str]) -> Iterator[DbtEvent]:
    """Call dbt, and pass on what it says, as it says it.

    Write the home's profile before, and hold `writer_lock`. Where the events are not asked for any
    more, the call is stopped. By the setting `dbt_debug_log`, dbt writes everything it does to
    `dbt/target/dbt.log`; it renders each statement for it, which takes a third of a small build.

    Args:
        settings: the home, and the marts' settings.
        arguments: command and options, without folders and vars.

    Yields:
        Events of level info and above.

    Raises:
        BuildError: something failed, with what dbt says of it.
    """
    events: SimpleQueue[DbtEvent | _Ended] = SimpleQueue()
    thread = threading.Thread(
        target=_call_dbt, args=(settings, arguments, events), name="dbt", daemon=True
    )
    errors = []
    _RUNNING.add(thread)
    thread.start()
    try:
        while not isinstance(event := events.get(), _Ended):
            if event["info"]["level"] == "error":
                errors.append(event["info"]["msg"])
            yield event
    finally:
        _stop(thread)
    if event.fault is not None:
        raise event.fault
    if not event.is_success:
        raise BuildError(_describe_errors(arguments[0], [*errors, event.message]))


def run_dbt(settings: SequenSettings, arguments: Sequence[str]) -> None:
    """`stream_dbt`, where it does not matter how far it is."""
    for _ in stream_dbt(settings, arguments):
        pass


def _call_dbt(
    settings: SequenSettings, arguments: Sequence[str], events: "SimpleQueue[DbtEvent | _Ended]"
) -> None:
    # Here, since a process that loads definitions, or has nothing to build, calls no dbt.
    from dbt.cli.main import dbtRunner

    from sequen_dagster.compat.dbt_in_process import dbt_in_process
    from sequen_dagster.compat.dbt_quick_nodes import quick_nodes
    from sequen_dagster.marts.parsing import read_manifest

    def note(message: Any) -> None:  # Any: dbt's protobuf
        if str(message.info.level) in _LEVELS:
            events.put(_read_event(message))

    try:
        with _ONE_AT_A_TIME, quick_nodes(), dbt_in_process(_folders(settings)):
            runner = dbtRunner(read_manifest(parsed_project(settings), project_dir()), [note])
            result = runner.invoke([*arguments, *_flags(settings), *vars_arguments(settings)])
        events.put(_Ended(is_success=result.success, message=str(result.exception or "")))
    except BaseException as fault:  # raised again where the events are read
        events.put(_Ended(is_success=False, fault=fault))


def _folders(settings: SequenSettings) -> dict[str, str]:
    """Where dbt reads and writes, as variables: it logs arguments, and a path may be no text."""
    folder = Home(settings.home).dbt
    return {
        "DBT_PROJECT_DIR": str(project_dir()),
        "DBT_PROFILES_DIR": str(folder.root),
        "DBT_TARGET_PATH": str(folder.target),
        "DBT_LOG_PATH": str(folder.target),
    }


def _flags(settings: SequenSettings) -> list[str]:
    return [
        *("--log-level", "none"),
        *("--log-level-file", "debug" if settings.dbt_debug_log else "none"),
        "--no-send-anonymous-usage-stats",
    ]


def _read_event(message: Any) -> DbtEvent:  # Any: dbt's protobuf
    from google.protobuf.json_format import MessageToDict  # see `_call_dbt`

    info = {
        "name": message.info.name,
        "level": str(message.info.level),
        "msg": message.info.msg,
        "invocation_id": message.info.invocation_id,
    }
    is_result = message.info.name in _RESULTS
    data = MessageToDict(message.data, preserving_proto_field_name=True) if is_result else {}
    return {"info": info, "data": data}


def _describe_errors(command: str, errors: Sequence[str]) -> str:
    unique = list(dict.fromkeys(error.strip() for error in errors if error.strip()))
    shown = "\n\n".join(unique[:_MAX_ERRORS_SHOWN])
    more = len(unique) - _MAX_ERRORS_SHOWN
    rest = f"\n\nand {more} more" if more > 0 else ""
    return (
        f"dbt {command} failed.\n\n{shown}{rest}\n\n"
        "The setting `dbt_debug_log` has dbt write down all that it does."
    )


def _stop(thread: threading.Thread) -> None:
    """End the call if it is not over; the database stays locked for as long as it is at work."""
    if thread.is_alive():
        from sequen_dagster.compat.dbt_in_process import stop_dbt  # as above

        stop_dbt()
        thread.join(_STOP_SECONDS)
    _RUNNING.discard(thread)


@atexit.register
def _stop_all() -> None:
    """End what an interrupted step has left: Dagster closes no generator that it has in hand.

    A process that ends while the engine is at work in a thread is aborted.
    """
    for thread in list(_RUNNING):
        _stop(thread)

"""Triggers: a run of ours that fails is reported to a webhook, and to a function of the user's."""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass

import dagster as dg
import pydantic
from dagster_shared.error import SerializableErrorInfo

from sequen_dagster import errors
from sequen_dagster.errors import AlertError
from sequen_dagster.lake.checks import FILES_READ
from sequen_dagster.names import Names
from sequen_dagster.runtime.text import bulleted

_TIMEOUT_SECONDS = 10.0
_MOST_CHARACTERS = 500


@dataclass(frozen=True)
class FailedRun:
    """A run that failed, without a value of an event.

    Attributes:
        run_id: the run.
        job: the name of its job.
        step: the first step that failed; empty where the run failed as a whole.
        error: the class of the error it began with.
        message: its text, cut to 500 characters, if the error is one of ours; texts of other
            libraries may quote events.
        link: the run's page, below the address of the web server.
        files_not_read: files that could not be read, at all or as a whole, each with why; the first
            20 of either, as the check `files_read` of the run names them.
    """

    run_id: str
    job: str
    step: str
    error: str
    message: str
    link: str
    files_not_read: tuple[str, ...] = ()


Hook = Callable[[FailedRun], None]


def build_failure_sensor(
    webhook: pydantic.SecretStr | None,
    names: Names,
    *,
    tick_seconds: int,
    status: dg.DefaultSensorStatus,
    hook: Hook | None = None,
) -> dg.SensorDefinition:
    """The sensor that reports runs which have failed.

    Args:
        webhook: the address that gets a JSON object with the fields of `FailedRun`.
        names: of the pipeline.
        tick_seconds: how often the sensor looks.
        status: whether it starts switched on.
        hook: a function of the user's that is called with the same facts.
    """

    @dg.run_failure_sensor(
        name=names.run_failures_sensor,
        default_status=status,
        minimum_interval_seconds=tick_seconds,
        description="Reports runs that failed: to a webhook, and to a function of yours.",
    )
    def run_failures(context: dg.RunFailureSensorContext) -> dg.SkipReason | None:
        run = context.dagster_run
        if not (run.job_name in names.jobs or names.automation_tag in run.tags):
            return dg.SkipReason(f"run {run.run_id} belongs to other definitions")
        if hook is None and webhook is None:
            return dg.SkipReason(
                f"run {run.run_id} failed, and is not reported: set "
                "SEQUEN_FAILURE_WEBHOOK, or give `on_run_failure` to build_definitions"
            )
        failed = _describe_run(context)
        notified = []
        if hook is not None:
            hook(failed)
            notified.append("the function `on_run_failure`")
        if webhook is not None:
            _post_failure(webhook.get_secret_value(), failed)
            # Without the address: it is a secret.
            notified.append("the webhook")
        message = f"The failure of run {run.run_id} was reported to {' and '.join(notified)}."
        context.log.info(message)
        # On the page of the run, too: a person who looks at it sees who knows already.
        context.instance.report_engine_event(message, dagster_run=run)
        return None

    return run_failures


def root_cause(error: SerializableErrorInfo | None) -> SerializableErrorInfo | None:
    """Of an error and its causes, the one that says most to a person.

    Ours, since it says what to do next; else the first cause.
    """
    while error is not None and error.cause is not None and not is_ours(error):
        error = error.cause
    return error


def is_ours(error: SerializableErrorInfo) -> bool:
    """Whether an error is of the package's own tree, whose texts hold no value of an event."""
    return isinstance(getattr(errors, error.cls_name or "", None), type)


def _describe_run(context: dg.RunFailureSensorContext) -> FailedRun:
    run = context.dagster_run
    events = context.for_run_failure().get_step_failure_events()
    error = root_cause(events[0].step_failure_data.error) if events else None
    return FailedRun(
        run_id=run.run_id,
        job=run.job_name,
        step=(events[0].step_key or "") if events else "",
        error=(error.cls_name or "") if error else "",
        message=_cut_message(error) if error else "the run ended without an error of a step",
        link=f"/runs/{run.run_id}",
        files_not_read=_find_files_not_read(context.instance, run.run_id),
    )


def _find_files_not_read(instance: dg.DagsterInstance, run_id: str) -> tuple[str, ...]:
    entries = instance.all_logs(run_id, of_type=dg.DagsterEventType.ASSET_CHECK_EVALUATION)
    # The last first: a step that is tried again evaluates it again.
    for event in (entry.dagster_event for entry in reversed(entries)):
        check = event.asset_check_evaluation_data if event else None
        if check and check.check_name == FILES_READ:
            reasons = check.metadata["reasons"].value
            return tuple(map(str, reasons)) if isinstance(reasons, list) else ()
    return ()


def _cut_message(error: SerializableErrorInfo) -> str:
    if not is_ours(error):
        return "see the run"
    return str(error.message).strip()[:_MOST_CHARACTERS]


def _post_failure(address: str, failed: FailedRun) -> None:
    import httpx  # a tenth of a second, and few runs fail

    text = f"Run {failed.run_id} of {failed.job} failed in {failed.step or 'no step'}"
    unread = failed.files_not_read
    more = f"\nFiles that could not be read:\n{bulleted(unread)}" if unread else ""
    try:
        with _without_request_logs():
            # No redirects: the address was checked, another one is not.
            answer = httpx.post(
                address,
                json={"text": f"{text}: {failed.message}{more}", **asdict(failed)},
                timeout=_TIMEOUT_SECONDS,
                follow_redirects=False,
            )
    except httpx.HTTPError as error:
        # Neither the text nor the chain: both may hold the address, which is a secret.
        message = f"{text}, and the webhook could not be reached ({type(error).__name__})."
        raise AlertError(message) from None
    if not answer.is_success:
        message = f"{text}, and the webhook answered {answer.status_code}."
        raise AlertError(message)


@contextmanager
def _without_request_logs() -> Iterator[None]:
    """Keep httpx from logging the address of every request."""

    def refuse_record(_: logging.LogRecord) -> bool:
        return False

    loggers = [logging.getLogger(name) for name in ("httpx", "httpcore")]
    for logger in loggers:
        logger.addFilter(refuse_record)
    try:
        yield
    finally:
        for logger in loggers:
            logger.removeFilter(refuse_record)

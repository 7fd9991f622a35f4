"""Runs that fail are reported of: to a function, and to a real web server."""

import json
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from sequen_dagster.contract.scalars import utc_now
from sequen_dagster.errors import AlertError, SettingsError, StorageError
from sequen_dagster.lake.checks import Expectations, check_files_read, check_freshness
from sequen_dagster.lake.current_files import UnreadFile
from sequen_dagster.names import NAMES
from sequen_dagster.settings import load_settings
from sequen_dagster.triggers.failures import FailedRun, Hook, build_failure_sensor
from support.homes import settings_of

CANARY = "canary-token"
EXPECTED = Expectations(95, 0, 26, Path("report.html"))
FULL = StorageError("disk full " + "x" * 600)


@dataclass
class Server:
    """A web server that answers with a set status, and remembers its requests."""

    status: int = 200
    got: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    address: str = ""


@pytest.fixture
def server() -> Iterator[Server]:
    server = Server()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            server.got.append((self.path, json.loads(body)))
            self.send_response(server.status)
            if server.status == 302:
                self.send_header("Location", f"{server.address}/elsewhere")
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=http.serve_forever, daemon=True).start()
    server.address = f"http://127.0.0.1:{http.server_port}"
    yield server
    http.shutdown()
    http.server_close()


def tick(
    tmp_path: Path,
    *,
    failure: Exception = FULL,
    job_name: str = NAMES.run_job,
    hook: Hook | None = None,
    checks: Sequence[dg.AssetCheckResult] = (),
    **settings: Any,
) -> tuple[object, list[str]]:
    """A run that fails: what the sensor makes of it, and says of that on the run's page."""

    @dg.op
    def lake(context: dg.OpExecutionContext) -> None:
        for one in checks:
            context.log_event(
                dg.AssetCheckEvaluation(
                    asset_key=dg.AssetKey(NAMES.validated_events),
                    check_name=str(one.check_name),
                    passed=one.passed,
                    metadata=one.metadata,
                )
            )
        raise failure

    @dg.job(name=job_name)
    def job() -> None:
        lake()

    given = settings_of(tmp_path, **settings)
    sensor = build_failure_sensor(
        given.failure_webhook,
        NAMES,
        tick_seconds=given.tick_seconds,
        status=dg.DefaultSensorStatus.RUNNING,
        hook=hook,
    )
    with dg.DagsterInstance.ephemeral() as instance:
        result = job.execute_in_process(instance=instance, raise_on_error=False)
        context = dg.build_run_status_sensor_context(
            sensor_name=sensor.name,
            dagster_event=result.get_run_failure_event(),
            dagster_instance=instance,
            dagster_run=result.dagster_run,
        ).for_run_failure()
        returned = sensor(context)
        said = [
            entry.message
            for entry in instance.all_logs(result.run_id)
            if "was reported to" in (entry.message or "")
        ]
        return returned, said


def test_function_of_the_user_gets_the_facts(tmp_path: Path) -> None:
    reported: list[FailedRun] = []

    returned, said = tick(tmp_path, hook=reported.append)

    (failed,) = reported
    assert returned is None
    assert said == [
        f"The failure of run {failed.run_id} was reported to the function `on_run_failure`."
    ]
    assert (failed.job, failed.step, failed.error) == (NAMES.run_job, "lake", "StorageError")
    assert "StorageError: disk full xxx" in failed.message
    assert len(failed.message) == 500
    assert failed.link == f"/runs/{failed.run_id}"


def test_text_of_errors_of_other_packages_is_not_reported(tmp_path: Path) -> None:
    reported: list[FailedRun] = []

    tick(tmp_path, failure=ValueError(CANARY), hook=reported.append)

    assert (reported[0].error, reported[0].message) == ("ValueError", "see the run")


def caused(outer: Exception, inner: Exception) -> Exception:
    outer.__cause__ = inner
    return outer


@pytest.mark.parametrize(
    ("failure", "reported"),
    [
        (caused(StorageError("full"), OSError("cause")), "StorageError"),
        (caused(RuntimeError("outer"), caused(StorageError("full"), OSError())), "StorageError"),
        (caused(RuntimeError("outer"), OSError("cause")), "OSError"),
    ],
)
def test_own_errors_are_reported_rather_than_their_causes(
    tmp_path: Path, failure: Exception, reported: str
) -> None:
    failed: list[FailedRun] = []

    tick(tmp_path, failure=failure, hook=failed.append)

    assert failed[0].error == reported


def test_webhook_gets_the_facts_as_json(
    tmp_path: Path, server: Server, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")

    reported: list[FailedRun] = []
    returned, said = tick(
        tmp_path, failure_webhook=f"{server.address}/{CANARY}", hook=reported.append
    )

    ((path, body),) = server.got
    assert returned is None
    who = "the function `on_run_failure` and the webhook"
    assert said == [f"The failure of run {body['run_id']} was reported to {who}."]
    assert path == f"/{CANARY}"
    start = f"Run {body['run_id']} of sequen_run failed in lake: "
    assert body["text"] == start + body["message"]
    assert {"job", "step", "error", "message", "link"} < body.keys()
    assert CANARY not in caplog.text


def test_message_names_files_that_could_not_be_read(tmp_path: Path, server: Server) -> None:
    unread = UnreadFile("default", "a.jsonl", "unsupported_format", "The file is a zip archive.")
    checks = [
        check_files_read([], [], [], files=1),
        check_files_read([], [], [unread], files=1),
        check_freshness([], EXPECTED, now=utc_now()),
    ]

    tick(tmp_path, failure_webhook=server.address, checks=checks)

    ((_, body),) = server.got
    assert body["files_not_read"] == [str(unread)]
    assert body["text"].endswith(
        f"{body['message']}\nFiles that could not be read:\n"
        "- 'a.jsonl': unsupported_format: The file is a zip archive."
    )


def test_no_message_is_sent_without_a_webhook(tmp_path: Path) -> None:
    skipped, said = tick(tmp_path)

    assert isinstance(skipped, dg.SkipReason)
    assert "SEQUEN_FAILURE_WEBHOOK" in (skipped.skip_message or "")
    assert said == []


def test_runs_of_other_jobs_are_not_reported(tmp_path: Path, server: Server) -> None:
    skipped, _ = tick(tmp_path, job_name="theirs", failure_webhook=server.address)

    assert isinstance(skipped, dg.SkipReason)
    assert server.got == []


@pytest.mark.parametrize("status", [302, 404, 500])
def test_webhook_that_refuses_fails_the_tick_without_its_address(
    tmp_path: Path, server: Server, status: int
) -> None:
    server.status = status

    with pytest.raises(Exception, match=f"answered {status}") as caught:
        tick(tmp_path, failure_webhook=f"{server.address}/{CANARY}")

    assert isinstance(caught.value, AlertError) or isinstance(caught.value.__cause__, AlertError)
    assert CANARY not in chain_of(caught.value)
    assert [path for path, _ in server.got] == [f"/{CANARY}"]


def test_webhook_that_cannot_be_reached_fails_the_tick_without_its_address(tmp_path: Path) -> None:
    with pytest.raises(Exception, match="could not be reached") as caught:
        tick(tmp_path, failure_webhook=f"http://127.0.0.1:1/{CANARY}")

    assert CANARY not in chain_of(caught.value)


def chain_of(error: BaseException | None) -> str:
    texts = []
    while error is not None:
        texts.append(f"{error!r} {error}")
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    return "\n".join(texts)


@pytest.mark.bad_input(60)
@pytest.mark.parametrize(
    "address",
    [
        f"http://example.com/{CANARY}",
        f"http://169.254.169.254/{CANARY}",
        f"file:///{CANARY}",
        f"ftp://localhost/{CANARY}",
        CANARY,
    ],
)
def test_webhook_that_is_not_safe_is_refused_at_load(tmp_path: Path, address: str) -> None:
    with pytest.raises(SettingsError, match="must begin with https") as caught:
        load_settings(tmp_path, failure_webhook=address)

    assert CANARY not in chain_of(caught.value)


def test_webhook_is_masked_wherever_settings_are_shown(tmp_path: Path) -> None:
    settings = settings_of(tmp_path, failure_webhook=f"https://example.com/{CANARY}")

    assert CANARY not in f"{settings!r} {settings} {settings.model_dump()} {settings.mart_vars()}"

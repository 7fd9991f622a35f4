"""What a look at the exports costs: a tick of the sensor beside a bare scan of the same folder.

And the same for a bucket of a real S3 server, filled in its own memory.
"""

import logging
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import dagster as dg

from benchmarks.cases import Case
from benchmarks.processes import Usage
from sequen_dagster.exports.assets import exports_specs
from sequen_dagster.exports.files import list_files
from sequen_dagster.graph import Graph, SequenTranslator
from sequen_dagster.home.layout import Home
from sequen_dagster.lake.drain import Intake
from sequen_dagster.lake.ledger_file import connect_ledger
from sequen_dagster.lake.requests import RequestRules
from sequen_dagster.names import NAMES
from sequen_dagster.settings import SequenSettings, load_settings
from sequen_dagster.triggers.new_files import build_new_files_sensor

SCAN: Final = "os.scandir and stat of all files"
NONE_NEW: Final = "tick, no file new"
SOME_NEW: Final = "tick, 1,000 files new"
FIRST_SEEN: Final = "tick, all files first seen"
ALL_WHOLE: Final = "tick, all files whole"
BUCKET: Final = "list of an S3 bucket"

_FOLDERS: Final = 100
_NEW: Final = 1_000
_BUCKET: Final = "exports"


def bench_listing(folder: Path, files: int, rounds: int) -> list[Case]:
    """Tick on a folder of many files: all new, none new, some new; then list a bucket.

    Args:
        folder: gets the files and a home.
        files: how many; the bucket holds a fiftieth of them.
        rounds: how often each is measured, each time beside a bare scan.
    """
    settings = load_settings(folder, home="home", exports="exports", quiet_seconds=0)
    root = settings.home.parent / "exports"
    for number in range(files):
        path = root / f"day={number % _FOLDERS}" / f"{number:07}.jsonl"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"{}\n")
    instance = dg.DagsterInstance.ephemeral()

    def scan() -> Usage:
        return _timed(lambda: _scan(root))

    def tick() -> Usage:
        return _timed(lambda: _tick(settings, instance))

    scan()
    cases = [Case(FIRST_SEEN, files, (tick(),)), Case(ALL_WHOLE, files, (tick(),))]
    with connect_ledger(Home(settings.home).ledger) as ledger:
        ledger.execute(
            "update file_versions set state = 'committed', version = 1, file_group = null"
        )
    # In turn, so that a slow minute hits both.
    pairs = [(scan(), tick()) for _ in range(rounds)]
    cases.append(Case(SCAN, files, tuple(bare for bare, _ in pairs)))
    cases.append(Case(NONE_NEW, files, tuple(own for _, own in pairs)))
    for number in range(_NEW):
        (root / f"new-{number}.jsonl").write_bytes(b"{}\n")
    cases.append(Case(SOME_NEW, files + _NEW, tuple(tick() for _ in range(rounds))))
    # The test server looks through all its keys for every page of 1,000.
    objects = files // 50
    with _bucket(objects) as place:
        source = load_settings(folder, exports=place).sources[0]
        listed = tuple(_timed(lambda: list_files(source)) for _ in range(rounds))
    return [*cases, Case(BUCKET, objects, listed)]


def _timed(work: Callable[[], object]) -> Usage:
    """What work in this very process takes; its memory is not measured."""
    cpu, started = time.process_time(), time.perf_counter()
    work()
    return Usage(time.perf_counter() - started, time.process_time() - cpu, 0.0)


def _scan(folder: Path) -> None:
    for entry in os.scandir(folder):
        if entry.is_dir(follow_symlinks=False):
            _scan(Path(entry.path))
        else:
            entry.stat(follow_symlinks=False)


def _tick(settings: SequenSettings, instance: dg.DagsterInstance) -> None:
    sensor = build_new_files_sensor(
        Intake.of(settings),
        RequestRules.of(settings),
        Graph.of(NAMES, SequenTranslator(), lambda _: exports_specs(settings, NAMES)),
        tick_seconds=settings.tick_seconds,
        status=dg.DefaultSensorStatus.STOPPED,
    )
    with dg.build_sensor_context(instance=instance) as context:
        sensor(context)


@contextmanager
def _bucket(files: int) -> Iterator[str]:
    from moto.s3.models import s3_backends
    from moto.server import ThreadedMotoServer

    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    backend: Any = s3_backends["123456789012"]["aws"]  # ships no types
    backend.create_bucket(_BUCKET, "us-east-1")
    for number in range(files):
        backend.put_object(_BUCKET, f"web/day={number % _FOLDERS}/{number:07}.jsonl", b"{}\n")
    os.environ |= {
        "AWS_ENDPOINT_URL": f"http://{host}:{port}",
        "AWS_ACCESS_KEY_ID": "key",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "AWS_DEFAULT_REGION": "us-east-1",
    }
    try:
        yield f"s3://{_BUCKET}/web"
    finally:
        server.stop()

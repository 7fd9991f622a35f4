"""What a look at the exports costs: a tick of the sensor beside a bare scan of the same folder.

And the same for a bucket of a real S3 server, filled in its own memory.
"""

import os
import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import dagster as dg

from sequen_dagster.exports.files import list_files
from sequen_dagster.home.layout import Home
from sequen_dagster.lake.drain import Intake
from sequen_dagster.lake.ledger_file import connect_ledger
from sequen_dagster.lake.requests import RequestRules
from sequen_dagster.settings import SequenSettings, load_settings
from sequen_dagster.triggers.new_files import build_new_files_sensor

_FOLDERS = 100
_NEW = 1_000
_BUCKET = "exports"


@dataclass(frozen=True)
class ListingMeasured:
    """One row of the table of listings.

    Attributes:
        case: what was measured.
        files: how many files lie there.
        seconds: wall time, median of the rounds.
        ratio: over the bare scan of the same round, median.
    """

    case: str
    files: int
    seconds: float
    ratio: float


def bench_listing(folder: Path, files: int, rounds: int) -> list[ListingMeasured]:
    """Tick on a folder of many files: all new, none new, some new; then list a bucket."""
    settings = load_settings(folder, home="home", exports="exports", quiet_seconds=0)
    root = settings.home.parent / "exports"
    for number in range(files):
        path = root / f"day={number % _FOLDERS}" / f"{number:07}.jsonl"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"{}\n")
    scan = [_timed(lambda: _scan(root)) for _ in range(rounds)]
    bare = statistics.median(scan)
    rows = [ListingMeasured("os.scandir and stat", files, bare, 1.0)]
    instance = dg.DagsterInstance.ephemeral()

    def tick() -> float:
        return _timed(lambda: _tick(settings, instance))

    rows += [
        ListingMeasured(case, files, seconds, seconds / bare)
        for case, seconds in (("tick, all first seen", tick()), ("tick, all whole", tick()))
    ]
    with connect_ledger(Home(settings.home).ledger) as ledger:
        ledger.execute(
            "update file_versions set state = 'committed', version = 1, file_group = null"
        )
    rows.append(_against("tick, none new", files, lambda: _scan(root), tick, rounds))
    for number in range(_NEW):
        (root / f"new-{number}.jsonl").write_bytes(b"{}\n")
    rows.append(_against(f"tick, {_NEW:,} new", files + _NEW, lambda: _scan(root), tick, rounds))
    # The test server looks through all its keys for every page of 1,000.
    objects = files // 10
    with _bucket(objects) as place:
        source = load_settings(folder, exports=place).sources[0]
        seconds = statistics.median(_timed(lambda: list_files(source)) for _ in range(rounds))
    return [*rows, ListingMeasured("list of an S3 bucket", objects, seconds, 10 * seconds / bare)]


def listing_table(rows: list[ListingMeasured]) -> str:
    """The figures as a Markdown table."""
    lines = ["| case | files | seconds | ratio |", "|---|---:|---:|---:|"]
    lines += [
        f"| {row.case} | {row.files:,} | {row.seconds:.2f} | {row.ratio:.1f} |" for row in rows
    ]
    return "\n".join(lines)


def _against(
    case: str, files: int, reference: Callable[[], object], ours: Callable[[], float], rounds: int
) -> ListingMeasured:
    """Ours and the reference in turn, so that a slow minute hits both."""
    pairs = [(_timed(reference), ours()) for _ in range(rounds)]
    return ListingMeasured(
        case,
        files,
        statistics.median(own for _, own in pairs),
        statistics.median(own / other for other, own in pairs),
    )


def _timed(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


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
        tick_seconds=settings.tick_seconds,
        status=dg.DefaultSensorStatus.STOPPED,
    )
    with dg.build_sensor_context(instance=instance) as context:
        sensor(context)


@contextmanager
def _bucket(files: int) -> Iterator[str]:
    from moto.s3.models import s3_backends
    from moto.server import ThreadedMotoServer

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

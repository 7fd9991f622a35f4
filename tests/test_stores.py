"""Exports in an object store, against a server that speaks S3's own protocol."""

import gzip
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import fsspec
import pytest
from moto.server import ThreadedMotoServer

from sequen_dagster.errors import ExportsError, SettingsError, VanishedFileError
from sequen_dagster.exports.files import check_unchanged, list_files, list_location, open_file
from sequen_dagster.exports.limits import ReadLimits
from sequen_dagster.exports.readers import ExportReader
from sequen_dagster.lake.commits import RecordCounts, current_batches
from sequen_dagster.settings import SequenSettings, Source, load_settings
from support.builders import event
from support.lake import drain, lake_of
from support.sensing import Daemon

BUCKET = "exports"


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def s3(endpoint: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A client beside ours, and an empty bucket."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", endpoint)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "key")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "canary-secret")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    fsspec.get_filesystem_class("s3").clear_instance_cache()
    client = boto3.client("s3")
    client.create_bucket(Bucket=BUCKET)
    yield client
    for one in client.list_objects_v2(Bucket=BUCKET).get("Contents", []):
        client.delete_object(Bucket=BUCKET, Key=one["Key"])
    client.delete_bucket(Bucket=BUCKET)
    fsspec.get_filesystem_class("s3").clear_instance_cache()


def put(s3: Any, key: str, *events: dict[str, Any]) -> None:
    body = "".join(f"{json.dumps(one)}\n" for one in events).encode()
    s3.put_object(Bucket=BUCKET, Key=key, Body=gzip.compress(body) if ".gz" in key else body)


def settings_in(tmp_path: Path, place: str = f"s3://{BUCKET}/web", **more: Any) -> SequenSettings:
    return load_settings(tmp_path, home="home", exports=place, workers=1, quiet_seconds=0, **more)


def test_objects_are_listed_by_prefix_and_pattern(s3: Any, tmp_path: Path) -> None:
    for key in (
        "web/b.jsonl", "web/day=1/a.jsonl.gz", "web/_temporary/x.jsonl", "web/folder/",
        "web/.hidden", "webby/c.jsonl", "app/d.jsonl", "web/a [1]*?#.jsonl",
    ):  # fmt: skip
        put(s3, key, event())

    files = list_files(settings_in(tmp_path).sources[0])

    assert [file.path for file in files] == ["a [1]*?#.jsonl", "b.jsonl", "day=1/a.jsonl.gz"]
    assert files[1].location == f"s3://{BUCKET}/web/b.jsonl"
    head = s3.head_object(Bucket=BUCKET, Key="web/b.jsonl")
    assert files[1].size_bytes == head["ContentLength"]
    assert files[1].modified_at == head["LastModified"].replace(tzinfo=None)
    assert files[1].etag == head["ETag"].strip('"')


KEYS = (
    "web/a.jsonl", "web//a.jsonl", "/web/a.jsonl", "//web/a.jsonl", "web/./a.jsonl",
    "web/../a.jsonl", "a.jsonl", "web/a%20b.jsonl", "web/a b.jsonl", "web/a+b.jsonl",
    "web/e\u0301.jsonl", "web/\u00e9.jsonl", "web/a\\b.jsonl", "web/a?x=1.jsonl", "web/a#3.jsonl",
    "web/dot.", "web/dot./y", "web/sp ", "web/ sp", "web/a", "web/a?versionId=b", "web/d///z",
    "web/ctl\x01", "web/a*[1].jsonl", "web/s3://x", "web/a::b", "web/&lt;<>", "web/x/y", "web/x",
)  # fmt: skip


@pytest.mark.parametrize(
    ("place", "prefix"),
    [("", ""), ("/", ""), ("/web", "web/"), ("/web/", "web/"), ("//web", "/web/")],
)
def test_path_is_the_key_as_the_store_reports_it(s3: Any, place: str, prefix: str) -> None:
    for key in KEYS:
        s3.put_object(Bucket=BUCKET, Key=key, Body=key.encode())
    source = Source(exports=f"s3://{BUCKET}{place}", exclude=())

    contents = {}
    for file in list_files(source):
        with open_file(file) as handle:
            contents[file.path] = handle.read().decode()
            check_unchanged(file, handle, file.size_bytes)

    assert contents == {key.removeprefix(prefix): key for key in KEYS if key.startswith(prefix)}


def test_two_keys_that_differ_by_a_slash_are_two_files_for_good(s3: Any, tmp_path: Path) -> None:
    settings = settings_in(tmp_path)
    put(s3, "web/a.jsonl", event())
    put(s3, "web//a.jsonl", event(id="e2"))

    first, second = drain(settings), drain(settings)

    assert [batch.path for batch in first.batches] == ["/a.jsonl", "a.jsonl"]
    assert second.commits == ()
    assert [batch.path for batch in current_batches(lake_of(settings))] == [
        "/a.jsonl",
        "a.jsonl",
    ]


def test_what_is_passed_over_in_a_store_is_counted_by_every_name_of_its_key(s3: Any) -> None:
    for key in (
        "web/a.jsonl", "web/_SUCCESS", "web/_temporary/0/b.jsonl", "web/x/.in/y/c.jsonl",
        "web/manifests/d.jsonl", "web/manifest.json", "web/in/_a.jsonl", "web/folder/",
    ):  # fmt: skip
        put(s3, key, event())
    s3.put_object(Bucket=BUCKET, Key="web/empty/", Body=b"")

    listing = list_location(Source(exports=f"s3://{BUCKET}/web"))

    assert [file.path for file in listing.files] == ["a.jsonl", "in/_a.jsonl", "manifests/d.jsonl"]
    # The empty key is what a console makes for a folder: no file at all.
    assert {one.label: (one.files, one.first) for one in listing.passed_over} == {
        "folder_key": (1, "folder/"),
        "*manifest*.json": (1, "manifest.json"),
        ".*": (1, "x/.in/y/c.jsonl"),
        "_SUCCESS": (1, "_SUCCESS"),
        "_temporary": (1, "_temporary/0/b.jsonl"),
    }


def test_objects_are_taken_in_like_files(s3: Any, tmp_path: Path) -> None:
    settings = settings_in(tmp_path)
    put(s3, "web/a.jsonl", event(), event(id="e2", uid=...))
    put(s3, "web/a [1]*?#.jsonl.gz", event(id="e3"))

    first, second = drain(settings), drain(settings)

    assert first.record_counts == RecordCounts(records_read=3, accepted=2, quarantined=1)
    assert first.failures == second.commits == ()


def test_parquet_is_read_from_a_store(s3: Any, tmp_path: Path) -> None:
    import polars as pl

    pl.DataFrame([event()]).write_parquet(tmp_path / "a.parquet")
    s3.upload_file(str(tmp_path / "a.parquet"), BUCKET, "web/a.parquet")

    (batch,) = drain(settings_in(tmp_path)).batches

    assert (batch.file_format, batch.record_counts.accepted) == ("parquet", 1)


def test_location_may_be_a_single_object(s3: Any, tmp_path: Path) -> None:
    put(s3, "web/a.jsonl", event())
    put(s3, "web/b.jsonl", event(id="e2"))

    settings = settings_in(tmp_path, f"s3://{BUCKET}/web/b.jsonl")

    assert [file.path for file in list_files(settings.sources[0])] == ["b.jsonl"]


def test_new_objects_are_seen_by_the_sensor_and_changed_ones_are_new_versions(
    s3: Any, tmp_path: Path
) -> None:
    daemon = Daemon(settings_in(tmp_path))
    versions = []
    for uid in ("u1", "u2", "u1"):
        put(s3, "web/a.jsonl", event(uid=uid))
        (file_group,) = [*daemon.tick(), *daemon.tick()]
        versions += [batch.version for batch in daemon.work(file_group).batches]

    assert versions == [1, 2, 3]
    assert daemon.tick() == []


def test_success_marker_is_seen_in_a_store(s3: Any, tmp_path: Path) -> None:
    settings = settings_in(tmp_path)
    source = settings.sources[0].model_copy(update={"complete_when": "success_marker"})
    daemon = Daemon(settings.model_copy(update={"sources": (source,)}))
    put(s3, "web/day=1/a.jsonl", event())
    assert [daemon.tick(), daemon.tick()] == [[], []]

    put(s3, "web/day=1/_SUCCESS")

    assert daemon.work(*daemon.tick()).record_counts.accepted == 1


@pytest.mark.fault(9)
def test_object_that_vanished_says_so(s3: Any, tmp_path: Path) -> None:
    put(s3, "web/a.jsonl", event())
    (file,) = list_files(settings_in(tmp_path).sources[0])
    s3.delete_object(Bucket=BUCKET, Key="web/a.jsonl")

    with pytest.raises(VanishedFileError, match="vanished"):
        open_file(file).read()


@pytest.mark.fault(10)
def test_object_replaced_in_the_middle_of_reading_is_left(s3: Any, tmp_path: Path) -> None:
    lines = b"{}\n" * (8 << 20)
    s3.put_object(Bucket=BUCKET, Key="web/a.jsonl", Body=lines)
    (file,) = list_files(settings_in(tmp_path).sources[0])

    with open_file(file) as handle:
        handle.read(1)
        s3.put_object(Bucket=BUCKET, Key="web/a.jsonl", Body=lines[1:])
        handle.seek(len(lines) - 10)
        with pytest.raises(VanishedFileError, match="changed while it was read"):
            handle.read(10)


@pytest.mark.fault(10)
def test_object_that_was_replaced_while_it_was_read_is_left(s3: Any, tmp_path: Path) -> None:
    put(s3, "web/a.jsonl", event(uid="u1"))
    (file,) = list_files(settings_in(tmp_path).sources[0])

    with ExportReader(file, ReadLimits()) as reader:
        list(reader.chunks())
        reader.finish()
        put(s3, "web/a.jsonl", event(uid="u2"))
        with pytest.raises(VanishedFileError, match="changed while it was read"):
            reader.check_unchanged()


@pytest.mark.usefixtures("s3")
def test_missing_bucket_is_reported_without_secrets(tmp_path: Path) -> None:
    settings = settings_in(tmp_path, "s3://nowhere/web")

    with pytest.raises(ExportsError, match="cannot be listed") as caught:
        list_files(settings.sources[0])

    assert "canary-secret" not in str(caught.value)


@pytest.mark.usefixtures("s3")
def test_store_that_cannot_be_reached_is_reported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    fsspec.get_filesystem_class("s3").clear_instance_cache()
    daemon = Daemon(settings_in(tmp_path))

    with pytest.raises(ExportsError, match="cannot be listed: EndpointConnectionError"):
        daemon.tick()


def test_store_that_is_lost_while_it_is_read_fails_that_file_alone(
    s3: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from botocore.exceptions import ConnectionClosedError
    from s3fs.core import S3File

    settings = settings_in(tmp_path)
    put(s3, "web/a.jsonl", event())
    put(s3, "web/b.jsonl", event(id="e2"))
    fetch = S3File._fetch_range

    def cut(self: S3File, start: int, end: int) -> bytes:
        if self.path.endswith("a.jsonl"):
            raise ConnectionClosedError(endpoint_url="http://canary-secret")
        return bytes(fetch(self, start, end))

    monkeypatch.setattr(S3File, "_fetch_range", cut)
    drained = drain(settings)

    assert [batch.path for batch in drained.batches] == ["b.jsonl"]
    assert [one.reason for one in drained.failures] == [
        "OSError: the store answered with ConnectionClosedError Attempt 1 of 3."
    ]


@pytest.mark.parametrize(
    ("place", "why"),
    [
        ("http://example.com/x", "begin with one of s3, gs, abfs"),
        ("file:///etc", "begin with one of"),
        ("s3://key:secret@bucket/x", "must hold no user or key"),
        ("gs://bucket/x", r"pip install 'sequen-dagster\[gcs\]'"),
    ],
)
def test_location_that_cannot_work_is_refused_at_load(tmp_path: Path, place: str, why: str) -> None:
    with pytest.raises(SettingsError, match=why) as caught:
        load_settings(tmp_path, exports=place)

    assert "secret" not in str(caught.value)

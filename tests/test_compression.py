"""Compressed exports: kind by content, corruption and bombs as rule codes, the file's hash."""

import gzip
import hashlib
import io
import zipfile
from pathlib import Path

import pytest
import zstandard

from builders import chunks_of, export, good, judge_file, refused_as
from sequen_dagster.errors import UnreadableFileError
from sequen_dagster.exports.readers import ExportReader, ReadLimits

LINES = "".join(f"{good(number)}\n" for number in range(200)).encode()
PACKED = gzip.compress(LINES, mtime=0)


def flipped(packed: bytes) -> bytes:
    middle = len(packed) // 2
    return (
        packed[:middle]
        + bytes(byte ^ 0xFF for byte in packed[middle : middle + 40])
        + (packed[middle + 40 :])
    )


def zipped(name: str) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        # A fixed time: the bytes become test ids, which must be the same in every worker.
        archive.writestr(zipfile.ZipInfo(name), LINES)
    return content.getvalue()


@pytest.mark.fault(15)
@pytest.mark.bad_input(7, 8, 9)
@pytest.mark.parametrize("name", ["a.jsonl.gz", "a.jsonl", "a.zst", "a"])
@pytest.mark.parametrize(
    "content",
    [
        LINES,
        PACKED,
        gzip.compress(LINES[:1000], mtime=0) + gzip.compress(LINES[1000:], mtime=0),
        zstandard.compress(LINES),
    ],
    ids=["plain", "gzip", "two-members", "zstd"],
)
def test_kind_is_told_by_content(tmp_path: Path, name: str, content: bytes) -> None:
    verdict = judge_file(tmp_path, content, name)

    assert (len(verdict.accepted), verdict.rules, verdict.file_format) == (200, [], "json")


@pytest.mark.fault(15)
@pytest.mark.bad_input(3, 4, 5, 6, 12, 13, 18)
@pytest.mark.parametrize(
    ("content", "rule"),
    [
        (PACKED[: len(PACKED) // 2], "corrupt_compression"),
        (PACKED[:-8], "corrupt_compression"),
        (PACKED[:-1], "corrupt_compression"),
        (flipped(PACKED), "corrupt_compression"),
        (PACKED + b"garbage", "corrupt_compression"),
        (zstandard.compress(LINES)[:-5], "corrupt_compression"),
        (gzip.compress(PACKED, mtime=0), "unsupported_format"),
        (zstandard.compress(PACKED), "unsupported_format"),
        (gzip.compress(zipped("a.jsonl"), mtime=0), "unsupported_format"),
        (zipped("../x"), "unsupported_format"),
        (b"BZh91AY&SY\x00\x01", "corrupt_compression"),
        ("\ufeff{}".encode("utf-16-le"), "unsupported_format"),
        ("\ufeff{}".encode("utf-16-be"), "unsupported_format"),
    ],
)
def test_unreadable_file_has_its_rule(tmp_path: Path, content: bytes, rule: str) -> None:
    assert refused_as(tmp_path, content) == rule


@pytest.mark.fault(13)
@pytest.mark.bad_input(1, 2)
@pytest.mark.parametrize("content", [b"", gzip.compress(b"", mtime=0), b"\xef\xbb\xbf", b"\n"])
def test_empty_file_has_no_records(tmp_path: Path, content: bytes) -> None:
    verdict = judge_file(tmp_path, content)

    assert (verdict.records, verdict.file_format) == (0, "json")


def test_text_that_begins_like_an_archive_is_text(tmp_path: Path) -> None:
    assert judge_file(tmp_path, "ORC_id,uid\n1,u1\n", "a.csv").records == 1


@pytest.mark.bad_input(10, 11)
@pytest.mark.parametrize("content", [b'{"a":"%s"}\n' % (b"x" * 1000) * 90_000, b"a" * 90_000_000])
def test_bomb_is_too_compressed(tmp_path: Path, content: bytes) -> None:
    assert refused_as(tmp_path, gzip.compress(content, mtime=0)) == "too_compressed"


def test_ratio_means_nothing_for_little_output(tmp_path: Path) -> None:
    chunks, _ = chunks_of(
        tmp_path, gzip.compress(b"\n" * 1_000_000, mtime=0), max_compression_ratio=1
    )

    assert sum(chunk.blank_lines for chunk in chunks) == 1_000_000


@pytest.mark.parametrize("content", [LINES, PACKED, PACKED[:-8], b"[{}] x" + LINES])
def test_hash_covers_the_whole_file_even_when_reading_stops(tmp_path: Path, content: bytes) -> None:
    with ExportReader(export(tmp_path, content), ReadLimits()) as reader:
        assert reader.finish() == (hashlib.sha256(content).hexdigest(), len(content))


def test_messages_hold_no_values(tmp_path: Path) -> None:
    canary = b'{"uid": "canary@example.com"}\n' * 1000
    packed = gzip.compress(canary, mtime=0)[:-3]

    with (
        ExportReader(export(tmp_path, packed), ReadLimits()) as reader,
        pytest.raises(UnreadableFileError, match="cut or damaged") as caught,
    ):
        list(reader.chunks())
    assert "canary" not in repr(caught.value)

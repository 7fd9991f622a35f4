"""Content that is not text: one record that says what it is and what to do."""

import bz2
import gzip
import io
import json
import lzma
import sqlite3
import tarfile
import zipfile
import zlib
from pathlib import Path

import pyarrow as pa
import pyarrow.feather as feather
import pyarrow.orc as orc
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sequen_dagster.errors import UnreadableFileError
from sequen_dagster.exports.limits import ReadLimits
from sequen_dagster.exports.readers import ExportReader
from sequen_dagster.exports.unsupported import HEAD_BYTES, refuse_unsupported
from support.builders import chunks_of, export, good, refused_as, validate_file

LINES = "".join(f"{good(number)}\n" for number in range(200)).encode()
TABLE = pa.table({"type": ["scroll"] * 9, "uid": ["u1"] * 9})


def message_of(tmp_path: Path, content: bytes, name: str = "a.jsonl") -> str:
    """Why a file is refused as `unsupported_format`."""
    with (
        ExportReader(export(tmp_path, content, name), ReadLimits()) as reader,
        pytest.raises(UnreadableFileError) as caught,
    ):
        list(reader.chunks())
    assert caught.value.rule == "unsupported_format"
    return str(caught.value)


def zipped(member: str = "a.jsonl") -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        # A fixed time: the bytes become test ids, which must be the same in every worker.
        archive.writestr(zipfile.ZipInfo(member), LINES)
    return content.getvalue()


def empty_zip() -> bytes:
    content = io.BytesIO()
    zipfile.ZipFile(content, "w").close()
    return content.getvalue()


def tarred(tar_format: int = tarfile.DEFAULT_FORMAT) -> bytes:
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w", format=tar_format) as archive:
        member = tarfile.TarInfo("a.jsonl")
        member.size = len(LINES)
        archive.addfile(member, io.BytesIO(LINES))
    return content.getvalue()


def tarred_before_ustar() -> bytes:
    """A tar of 1979: the same header without its magic, summed again."""
    content = bytearray(tarred())
    content[257:265] = bytes(8)
    content[148:156] = b" " * 8
    content[148:156] = b"%06o\0 " % sum(content[:512])
    return bytes(content)


def written(write: str) -> bytes:
    content = io.BytesIO()
    match write:
        case "orc":
            orc.write_table(TABLE, content)
        case "arrow":
            with pa.ipc.new_file(content, TABLE.schema) as file:
                file.write_table(TABLE)
        case "stream":
            with pa.ipc.new_stream(content, TABLE.schema) as stream:
                stream.write_table(TABLE)
        case "feather":
            feather.write_feather(TABLE, content)
        case _:
            pq.write_table(TABLE, content)
    return content.getvalue()


def sqlite() -> bytes:
    with sqlite3.connect(":memory:") as connection:
        connection.execute("create table events (id text)")
        content: bytes = connection.serialize()
    connection.close()
    return content


FILES: dict[str, tuple[bytes, str]] = {
    "zip": (zipped(), "a zip archive"),
    "zip-outside": (zipped("../x"), "a zip archive"),
    "zip-empty": (empty_zip(), "a zip archive"),
    "tar": (tarred(), "a tar archive"),
    "tar-ustar": (tarred(tarfile.USTAR_FORMAT), "a tar archive"),
    "tar-old": (tarred_before_ustar(), "a tar archive"),
    "tar-gz": (gzip.compress(tarred(), mtime=0), "a tar archive, packed with gzip"),
    "zip-gz": (gzip.compress(zipped(), mtime=0), "a zip archive"),
    "7z": (b"7z\xbc\xaf\x27\x1c\x00\x04" + bytes(range(90)), "a 7z archive"),
    "rar": (b"Rar!\x1a\x07\x01\x00" + bytes(90), "a RAR archive"),
    "avro": (b"Obj\x01\x04\x16avro.schema" + LINES, "an Avro file"),
    "orc": (written("orc"), "an ORC file"),
    "arrow": (written("arrow"), "an Arrow or Feather file"),
    "arrow-stream": (written("stream"), "an Arrow stream"),
    "feather": (written("feather"), "an Arrow or Feather file"),
    "feather-1": (b"FEA1" + bytes(range(90)), "an Arrow or Feather file"),
    "sqlite": (sqlite(), "an SQLite database"),
    "snappy": (b"\xff\x06\x00\x00sNaPpY\x00" + LINES, "packed with snappy (framed)"),
    "compress": (b"\x1f\x9d\x90" + LINES, "packed with compress"),
    "lzma": (lzma.compress(LINES, lzma.FORMAT_ALONE), "packed with lzma"),
    "lz4-legacy": (b"\x02\x21\x4c\x18\x09\x00\x00\x00" + LINES, "packed with legacy lz4"),
    "parquet-secret": (b"PARE" + bytes(range(200)), "a Parquet file with an encrypted footer"),
    "parquet-gz": (gzip.compress(written("parquet"), mtime=0), "Parquet, packed with gzip"),
    "gz-gz": (
        gzip.compress(gzip.compress(LINES, mtime=0), mtime=0),
        "packed twice (gzip in gzip). Unpack it once",
    ),
    "xz-bz2": (bz2.compress(lzma.compress(LINES)), "packed twice (xz in bzip2)"),
    "bz2-xz": (lzma.compress(bz2.compress(b"")), "packed twice (bzip2 in xz)"),
    "zstd-xz": (lzma.compress(b"\x50\x2a\x4d\x18" + bytes(4)), "packed twice (zstd in xz)"),
}


@pytest.mark.bad_input(12, 13, 14)
@pytest.mark.parametrize("kind", FILES)
def test_file_is_named_by_what_it_is(tmp_path: Path, kind: str) -> None:
    content, name = FILES[kind]
    message = message_of(tmp_path, content)

    assert message.startswith(f"The file is {name}")
    assert message.endswith(
        ". Send JSON Lines, JSON, CSV or TSV in UTF-8, plain or packed once, or Parquet."
    )


@pytest.mark.parametrize("level", [0, 1, 6, 9])
@pytest.mark.parametrize("name", ["a.jsonl", "a.jsonl.zz", "a.csv"])
@pytest.mark.parametrize("content", [LINES, good().encode()], ids=["many", "one"])
def test_zlib_is_distinguished_from_text(
    tmp_path: Path, level: int, name: str, content: bytes
) -> None:
    message = message_of(tmp_path, zlib.compress(content, level), name)

    assert message.startswith("The file is packed with zlib. Unpack it")


@pytest.mark.parametrize(
    "head",
    [b"x^2,type,uid\n1,scroll,u1\n", b"x,type,uid\n1,scroll,u1\n", "xÚ,type\n1,a\n".encode()],
    ids=["power", "letter", "accent"],
)
def test_text_that_begins_like_zlib_is_text(tmp_path: Path, head: bytes) -> None:
    assert validate_file(tmp_path, head, "a.csv").records == 1


@pytest.mark.parametrize(
    "content",
    [
        "ORC_id,uid\n1,u1\n", "DUCK,uid\n1,u1\n", "PARE,uid\n1,u1\n", "FEA1,uid\n1,u1\n",
        "BZh9,uid\n1,u1\n", "PKs,uid\n1,u1\n", "Rar!,uid\n1,u1\n", "(a,uid\n1,u1\n",
    ],
)  # fmt: skip
def test_text_that_begins_like_an_archive_is_text(tmp_path: Path, content: str) -> None:
    assert validate_file(tmp_path, content, "a.csv").records == 1


@pytest.mark.bad_input(18)
@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be"])
@pytest.mark.parametrize("mark", ["\ufeff", ""])
@pytest.mark.parametrize(
    "text",
    [LINES.decode(), "{}", "id,type\n1,x\n", "Größe,型,id\nä,é,ü\n", json.dumps({"a": "é" * 9})],
)
@pytest.mark.parametrize("name", ["a.jsonl", "a.csv"])
def test_wide_text_is_named_with_or_without_its_mark(
    tmp_path: Path, encoding: str, mark: str, text: str, name: str
) -> None:
    message = message_of(tmp_path, (mark + text).encode(encoding), name)

    assert message.startswith(f"The file is text in {encoding[:6].upper()}. Write it in UTF-8")


@pytest.mark.parametrize("content", [b'{"a":1}\0', b"{}\0", b"[{}]\0\0", b"[1]\0"])
def test_nuls_between_values_are_not_wide_text(content: bytes) -> None:
    refuse_unsupported((content * 2000)[:HEAD_BYTES], "a.jsonl", None)


@pytest.mark.parametrize(
    ("content", "is_refused"),
    [
        (b"\x1b\xbb\x0c\x00\x04\x12" + b"plain enough to be a text" * 9, True),
        (b"any text that is not JSON\n", True),
        (b"type,uid\nscroll,u1\n", True),
        (b"{\xf0\x10\xfe", True),
        (LINES, False),
        (b"\xef\xbb\xbf\n [" + LINES[:-1].split(b"\n")[0] + b"]", False),
        (b"{}", False),
        (b"", False),
        (b" \n", False),
    ],
)
@pytest.mark.parametrize("ending", [".br", ".snappy", ".SNAPPY"])
def test_packing_by_name_only_where_the_text_is_not_json(
    tmp_path: Path, content: bytes, is_refused: bool, ending: str
) -> None:
    expected = "unsupported_format" if is_refused else ""

    assert refused_as(tmp_path, content, f"a.jsonl{ending}") == expected


@pytest.mark.parametrize("bad", [b"\x01", b"\x1f", b"\x7f", b"\xff", b"\xc3", b"\x80"])
def test_three_tenths_of_the_head_may_be_unreadable(tmp_path: Path, bad: bytes) -> None:
    most = HEAD_BYTES * 3 // 10

    for count, rule in ((most, ""), (most + 1, "unsupported_format")):
        head = bad * count + b"a" * (HEAD_BYTES - count)
        assert refused_as(tmp_path, head + b"a" * 5000) == rule
    assert refused_as(tmp_path, b"aaaaaaa" + bad * 3) == ""
    assert refused_as(tmp_path, b"aaaaaa" + bad * 3) == "unsupported_format"


@pytest.mark.parametrize("fine", ["\t", "\n", "\r", "\x1e", "\0", "ä", "型", "😀"])
@pytest.mark.parametrize("before", ["", "a", "aa", "aaa"])
def test_text_of_any_language_is_text(fine: str, before: str) -> None:
    # Whatever its length, the last character may be cut off by the end of the head.
    refuse_unsupported((before + fine * 5000).encode()[:HEAD_BYTES], "a.jsonl", None)


def test_unknown_format_is_refused_as_binary(tmp_path: Path) -> None:
    noise = bytes(range(256)) * 20

    assert message_of(tmp_path, noise).startswith("The file is not text in UTF-8, but binary")
    assert message_of(tmp_path, gzip.compress(noise)).startswith(
        "The file is not text in UTF-8, but binary, packed in another way, or text in another"
        " encoding, packed with gzip"
    )


def test_refused_file_is_one_record(tmp_path: Path) -> None:
    assert refused_as(tmp_path, zipped()) == "unsupported_format"
    assert len(chunks_of(tmp_path, LINES)[0][0].texts) == 200


@given(st.binary(max_size=300))
def test_any_bytes_are_text_or_refused(head: bytes) -> None:
    text = head.decode("utf-8", "surrogateescape")
    broken = sum("\udc80" <= character <= "\udcff" for character in text)
    try:
        refuse_unsupported(head, "a", None)
    except UnreadableFileError:
        return
    assert broken * 10 <= 3 * len(head)

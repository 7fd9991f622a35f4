"""Compressed exports: kind by content, corruption and bombs as rule codes, the file's hash."""

import bz2
import gzip
import hashlib
import io
import lzma
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from sequen_dagster.errors import UnreadableFileError
from sequen_dagster.exports.compression import HashingReader, Packing, open_plain
from sequen_dagster.exports.limits import ReadLimits
from sequen_dagster.exports.readers import ExportReader
from support.builders import chunks_of, export, good, refused_as, validate_file

LINES = "".join(f"{good(number)}\n" for number in range(200)).encode()
PACKED = gzip.compress(LINES, mtime=0)
# A frame that decoders of zstd and lz4 pass over.
SKIPPED = struct.pack("<II", 0x184D2A5F, 300) + b"abc" * 100


def lz4(content: bytes) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.CompressedOutputStream(sink, "lz4") as packed:
        packed.write(content)
    return sink.getvalue().to_pybytes()


PACK: dict[Packing, Callable[[bytes], bytes]] = {
    "gzip": lambda content: gzip.compress(content, mtime=0),
    "zstd": lambda content: zstandard.ZstdCompressor(write_checksum=True).compress(content),
    "bzip2": bz2.compress,
    "xz": lzma.compress,
    "lz4": lz4,
}


def unpacked(content: bytes, *, read_bytes: int = 1 << 20, buffer_bytes: int = 1 << 20) -> bytes:
    """What is read of a packed file."""
    raw = HashingReader(io.BytesIO(content))
    stream, packing = open_plain(io.BufferedReader(raw, buffer_bytes), max_ratio=250)
    plain = b""
    while block := stream.read(read_bytes):
        plain += block
    return plain if packing else b"plain: " + plain


def outcome(content: bytes) -> bytes | str:
    try:
        return unpacked(content)
    except UnreadableFileError as error:
        return error.rule


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
        bz2.compress(LINES),
        lzma.compress(LINES),
        lz4(LINES),
    ],
    ids=["plain", "gzip", "two-members", "zstd", "bzip2", "xz", "lz4"],
)
def test_packing_is_recognized_by_content(tmp_path: Path, name: str, content: bytes) -> None:
    verdict = validate_file(tmp_path, content, name)

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
        (flipped(bz2.compress(LINES)), "corrupt_compression"),
        (flipped(lzma.compress(LINES)), "corrupt_compression"),
        (flipped(lz4(LINES)), "corrupt_compression"),
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
    verdict = validate_file(tmp_path, content)

    assert (verdict.records, verdict.file_format) == (0, "json")


def layouts(packing: Packing) -> dict[str, bytes]:
    """Ways in which members stand in one file."""
    pack = PACK[packing]
    first, rest, none = pack(LINES[:1000]), pack(LINES[1000:]), pack(b"")
    whole = {
        "one": pack(LINES),
        "several": first + rest,
        "empty-first": none + pack(LINES),
        "empty-between": first + none + rest,
        "empty-last": pack(LINES) + none,
    }
    if packing in ("gzip", "xz"):
        whole |= {"padded": pack(LINES) + bytes(1000), "padded-between": first + bytes(8) + rest}
    if packing in ("zstd", "lz4"):
        whole |= {
            "skipped-first": SKIPPED * 2 + pack(LINES),
            "skipped-between": first + SKIPPED + rest,
            "skipped-last": pack(LINES) + SKIPPED,
        }
    return whole


LAYOUTS = [(packing, layout) for packing in PACK for layout in layouts(packing)]


@pytest.mark.parametrize(("packing", "layout"), LAYOUTS)
def test_members_are_read_as_one_text(packing: Packing, layout: str) -> None:
    content = layouts(packing)[layout]

    assert unpacked(content) == LINES
    assert unpacked(content, read_bytes=7) == LINES
    assert unpacked(content, read_bytes=1 << 16, buffer_bytes=64) == LINES


@pytest.mark.parametrize("packing", PACK)
def test_packed_empty_file_has_no_records(packing: Packing) -> None:
    assert unpacked(PACK[packing](b"")) == b""
    assert unpacked(SKIPPED) == b""


@pytest.mark.parametrize("packing", PACK)
@pytest.mark.parametrize("garbage", [b"g", b"garbage behind it", b"\0", b"\0\0g", LINES])
def test_garbage_after_the_stream_is_corrupt(packing: Packing, garbage: bytes) -> None:
    # Zeros are padding: of any length in gzip, of four bytes in xz.
    expected = LINES if packing == "gzip" and garbage == b"\0" else "corrupt_compression"

    assert outcome(PACK[packing](LINES) + garbage) == expected


@pytest.mark.parametrize("packing", PACK)
def test_cut_file_is_corrupt_wherever_it_is_cut(packing: Packing) -> None:
    packed = PACK[packing](LINES[:3000])
    # Fewer bytes may be the letters of a text: `(`, `B`, `BZ`.
    first = {"zstd": 2, "bzip2": 3}.get(packing, 1)
    outcomes = {outcome(packed[:cut]) for cut in range(first, len(packed))}

    assert outcomes == {"corrupt_compression"}


@pytest.mark.parametrize("packing", ["zstd", "lz4"])
def test_cut_frame_that_is_skipped_is_corrupt(packing: Packing) -> None:
    packed = PACK[packing](LINES[:200])

    for cut in range(4, len(SKIPPED)):
        assert outcome(SKIPPED[:cut]) == "corrupt_compression"
        assert outcome(packed + SKIPPED[:cut]) == "corrupt_compression"
    assert outcome(SKIPPED + b"{}") == outcome(SKIPPED + PACKED) == "corrupt_compression"


@settings(deadline=None, max_examples=200)
@given(
    packing=st.sampled_from(list(PACK)),
    parts=st.lists(st.binary(max_size=60), min_size=1, max_size=3),
    kept=st.floats(0, 1),
)
def test_cut_anywhere_gives_whole_members_or_an_error(
    packing: Packing, parts: list[bytes], kept: float
) -> None:
    members = [PACK[packing](part) for part in parts]
    packed = b"".join(members)
    cut = int(len(packed) * kept)
    ends = [len(b"".join(members[:count])) for count in range(len(members) + 1)]

    found = outcome(packed[:cut])
    if cut in ends and cut:
        assert found == b"".join(parts[: ends.index(cut)])
    else:
        # A letter or two show no packing; as a text they are one record that cannot be read.
        assert found in ("corrupt_compression", b"plain: " + packed[:cut][:2])


@pytest.mark.parametrize("packing", PACK)
def test_bomb_of_any_packing_is_too_compressed(tmp_path: Path, packing: Packing) -> None:
    # lz4 never packs more than 255 to one.
    packed = PACK[packing](bytes(80_000_000))

    assert refused_as(tmp_path, packed, max_compression_ratio=100) == "too_compressed"


def test_zstd_that_needs_more_than_the_file_says_how_to_send_it(tmp_path: Path) -> None:
    samples = [good(number).encode() for number in range(2000)]
    trained = zstandard.train_dictionary(4096, samples)
    wide = zstandard.ZstdCompressionParameters(window_log=28, enable_ldm=False)
    streamed = io.BytesIO()
    with zstandard.ZstdCompressor(compression_params=wide).stream_writer(
        streamed, closefd=False
    ) as writer:
        writer.write(LINES)

    for content, words in (
        (zstandard.ZstdCompressor(dict_data=trained).compress(LINES), "packed with a dictionary"),
        (streamed.getvalue(), "more than 128 MiB of memory"),
    ):
        assert refused_as(tmp_path, content) == "unsupported_format"
        with (
            ExportReader(export(tmp_path, content), ReadLimits()) as reader,
            pytest.raises(UnreadableFileError, match=words),
        ):
            list(reader.chunks())


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

"""Exports: content that is neither text nor Parquet, recognized to say how to convert it.

In: the first bytes of a file, unpacked where it was packed. Out: `unsupported_format`, or nothing.
Without this a file of another kind would be thousands of records that cannot be read.
"""

import re
import tarfile
import zlib
from dataclasses import dataclass
from typing import Final

from sequen_dagster.errors import UnreadableFileError
from sequen_dagster.exports.compression import Packing, is_skippable, packing_of

# How much of a file is examined.
HEAD_BYTES: Final = 4096
_MAX_UNREADABLE_PERCENT: Final = 30

PARQUET_MAGIC: Final = b"PAR1"
# May precede a text in UTF-8, in any order and number.
_MARKS_AND_BLANKS: Final = re.compile(rb"\A(?:[\x00\x1e \t\r\n\x0b\x0c]|\xef\xbb\xbf)*")
# An object or array with something readable in it, or a string that holds one.
_JSON_BEGIN: Final = re.compile(rb'[{\[]\s*(?:[\x21-\x7e]|\Z)|"\s*[{\[]')
# Tab, line ends, RS and NUL stand in texts as well.
_CONTROL: Final = re.compile("[\x01-\x08\x0b\x0c\x0e-\x1d\x1f\x7f-\x9f]")
_BINARY: Final = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\udc80-\udcff]")
_BROKEN: Final = re.compile("[\udc80-\udcff]")
# Two letters of ASCII in a row; between JSON values NULs never stand so.
_UTF_16_PAIR: Final = re.compile(rb"(?:[^\0]\0){2}|(?:\0[^\0]){2}")
_UTF_32_PAIR: Final = re.compile(rb"(?:[^\0]\0{3}){2}|(?:\0{3}[^\0]){2}")
_WIDE_SHARE: Final = 5

_SEND_TEXT: Final = "Send JSON Lines, JSON, CSV or TSV in UTF-8, plain or packed once, or Parquet"


@dataclass(frozen=True)
class _Format:
    """A format that is not read.

    Attributes:
        name: what it is, with its article.
        remedy: what to do to it.
        magics: bytes that it begins with.
        offset: position of these bytes.
        is_certain: whether no text begins so; else the head must also hold bytes that are not text.
    """

    name: str
    remedy: str
    magics: tuple[bytes, ...]
    offset: int = 0
    is_certain: bool = True


_EXPORT_ROWS: Final = "Export its rows as Parquet or JSON Lines"
_FORMATS: Final = (
    _Format(
        "a zip archive (an Excel workbook is one, too)",
        "Unpack it (`unzip`) and send the files in it; save a workbook as CSV",
        (b"PK\x03\x04", b"PK\x05\x06", b"PK\x07\x08"),
    ),
    _Format("a tar archive", "Unpack it (`tar -xf`) and send the files in it", (b"ustar",), 257),
    _Format(
        "a 7z archive", "Unpack it (`7z x`) and send the files in it", (b"7z\xbc\xaf\x27\x1c",)
    ),
    _Format("a RAR archive", "Unpack it (`unrar x`) and send the files in it", (b"Rar!\x1a\x07",)),
    _Format(
        "packed with snappy (framed)",
        "Unpack it (`snzip -d`), or have it written with gzip or zstd",
        (b"\xff\x06\x00\x00sNaPpY",),
    ),
    _Format("packed with compress", "Unpack it (`uncompress`)", (b"\x1f\x9d", b"\x1f\xa0")),
    _Format("packed with lzip", "Unpack it (`lzip -d`)", (b"LZIP\x01",)),
    _Format("packed with lzop", "Unpack it (`lzop -d`)", (b"\x89LZO\x00\r\n\x1a\n",)),
    _Format("packed with legacy lz4", "Unpack it (`lz4 -d`)", (b"\x02\x21\x4c\x18",)),
    _Format("packed with lzma", "Unpack it (`xz -d --format=lzma`)", (b"\x5d\x00\x00",), 0, False),
    _Format("an Avro file", f"{_EXPORT_ROWS} (`avro-tools tojson`)", (b"Obj\x01",)),
    _Format("an ORC file", f"{_EXPORT_ROWS} (`orc-contents`)", (b"ORC",), 0, False),
    _Format(
        "an Arrow or Feather file",
        "Write it as Parquet (`pyarrow.parquet.write_table`)",
        (b"ARROW1\x00\x00", b"FEA1"),
        0,
        False,
    ),
    _Format(
        "an Arrow stream",
        "Write it as Parquet (`pyarrow.parquet.write_table`)",
        (b"\x00\x00\x10\x00\x00\x00\x00\x00\x0a\x00",),
        6,
    ),
    _Format(
        "a Parquet file with an encrypted footer",
        "Write it without encryption",
        (b"PARE",),
        0,
        False,
    ),
    _Format("an SQLite database", _EXPORT_ROWS, (b"SQLite format 3\x00",)),
    _Format("a DuckDB database", _EXPORT_ROWS, (b"DUCK",), 8, False),
    _Format("a Hadoop sequence file", _EXPORT_ROWS, (b"SEQ\x06",)),
    _Format("an HDF5 file", _EXPORT_ROWS, (b"\x89HDF\r\n\x1a\n",)),
    _Format("an Excel workbook", "Save it as CSV in UTF-8", (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1",)),
)
# Packings without magic bytes, by the end of the name.
_PACKED_BY_NAME: Final = {
    ".br": ("packed with brotli", "Unpack it (`brotli -d`)"),
    ".snappy": ("packed with snappy", "Unpack it, or have it written with gzip or zstd"),
}


def refuse_unsupported(head: bytes, path: str, packing: Packing | None) -> None:
    """Refuse a file whose content is not text.

    Args:
        head: the first `HEAD_BYTES` of the content, unpacked; all of it where it is shorter.
        path: the name of the file.
        packing: the packing that the content was in.

    Raises:
        UnreadableFileError: `unsupported_format`; the message says what it is and what to do.
    """
    found = _find_unsupported(head, path, packing)
    if found:
        name, remedy = found
        within = f", packed with {packing}" if packing and packing not in name else ""
        message = f"The file is {name}{within}. {remedy}. {_SEND_TEXT}."
        raise UnreadableFileError("unsupported_format", message)


def _find_unsupported(head: bytes, path: str, packing: Packing | None) -> tuple[str, str] | None:
    if not head:
        return None
    if packing and (again := packing_of(head) or ("zstd" if is_skippable(head) else None)):
        return f"packed twice ({again} in {packing})", "Unpack it once"
    if packing and head.startswith(PARQUET_MAGIC):
        return "Parquet", "Unpack it; Parquet packs its columns itself"
    text = _decode_head(head)
    is_text = not _BINARY.search(text)
    for one in _FORMATS:
        if head.startswith(one.magics, one.offset) and (one.is_certain or not is_text):
            return one.name, one.remedy
    if _is_tar(head):
        return next((one.name, one.remedy) for one in _FORMATS if one.name == "a tar archive")
    return (
        _find_wide_text(head)
        or _find_zlib(head, is_text=is_text)
        or _find_by_name(head, path)
        or _find_binary(head, text)
    )


def begins_with_bracket(head: bytes) -> bool:
    """Whether a text begins with `{` or `[`, marks and white space apart."""
    return _MARKS_AND_BLANKS.sub(b"", head, count=1).startswith((b"{", b"["))


def _decode_head(head: bytes) -> str:
    """Decode the head, each byte that is not UTF-8 as a lone surrogate."""
    text = head.decode("utf-8", "surrogateescape")
    if len(head) < HEAD_BYTES:
        return text
    # The last character may only be cut off.
    for cut in (1, 2, 3):
        try:
            head[-cut:].decode()
        except UnicodeDecodeError as error:
            if error.reason == "unexpected end of data" and error.start == 0:
                return head[:-cut].decode("utf-8", "surrogateescape")
    return text


def _is_tar(head: bytes) -> bool:
    # The oldest tar has no magic, but a checksum.
    try:
        tarfile.TarInfo.frombuf(head[: tarfile.BLOCKSIZE], "utf-8", "surrogateescape")
    except tarfile.HeaderError:
        return False
    return True


def _find_wide_text(head: bytes) -> tuple[str, str] | None:
    name = ""
    if head.startswith((b"\xff\xfe\0\0", b"\0\0\xfe\xff")):
        name = "UTF-32"
    elif head.startswith((b"\xff\xfe", b"\xfe\xff")):
        name = "UTF-16"
    else:
        for kind, pair in (("UTF-32", _UTF_32_PAIR), ("UTF-16", _UTF_16_PAIR)):
            if sum(map(len, pair.findall(head))) * _WIDE_SHARE >= len(head):
                name = kind
                break
    if not name:
        return None
    return f"text in {name}", f"Write it in UTF-8 (`iconv -f {name} -t UTF-8`)"


def _find_zlib(head: bytes, *, is_text: bool) -> tuple[str, str] | None:
    if head[:1] != b"\x78" or int.from_bytes(head[:2], "big") % 31 or is_text:
        return None
    try:
        plain = zlib.decompressobj().decompress(head, HEAD_BYTES)
    except zlib.error:
        return None
    if not plain:
        return None
    return "packed with zlib", "Unpack it (`zlib-flate -uncompress`, `pigz -dz`)"


def _find_by_name(head: bytes, path: str) -> tuple[str, str] | None:
    for ending, found in _PACKED_BY_NAME.items():
        begin = _MARKS_AND_BLANKS.sub(b"", head, count=1)
        if path.lower().endswith(ending) and begin and not _JSON_BEGIN.match(begin):
            return found
    return None


def _find_binary(head: bytes, text: str) -> tuple[str, str] | None:
    unreadable = len(_BROKEN.findall(text)) + len(_CONTROL.findall(text))
    if unreadable * 100 <= len(head) * _MAX_UNREADABLE_PERCENT:
        return None
    name = "not text in UTF-8, but binary, packed in another way, or text in another encoding"
    return name, "Unpack it, or write it as text in UTF-8"

"""Exports: CSV and TSV rows as JSON object texts in column order.

In: plain bytes. Out: `RecordChunk`s. Every cell is text; one that is absent is left out.
"""

from typing import Final

import msgspec

from sequen_dagster.exports.compression import PACKED_ENDINGS, ByteStream
from sequen_dagster.exports.delimited_cells import RowSplitter
from sequen_dagster.exports.delimited_header import MARK, Header, read_header
from sequen_dagster.exports.delimited_lines import LineReader
from sequen_dagster.exports.records import (
    CHUNK_BYTES,
    CHUNK_RECORDS,
    Chunks,
    HashedBytes,
    RecordChunk,
    Unreadable,
)
from sequen_dagster.exports.unsupported import begins_with_bracket
from sequen_dagster.settings.absence import WHITE_SPACE, is_blank

_encode: Final = msgspec.json.Encoder().encode


def is_delimited(path: str, head: bytes) -> bool:
    """Whether a file is CSV or TSV: by its name, unless it begins as JSON.

    Args:
        path: the name; case and endings of packings do not matter.
        head: how its content begins.

    Example:
        >>> is_delimited("a.CSV.gz", b"type,uid"), is_delimited("a.csv", b' {"type": "click"}')
        (True, False)
    """
    return _plain_path(path).endswith((".csv", ".tsv")) and not begins_with_bracket(head)


def _plain_path(path: str) -> str:
    name = path.lower()
    while name.endswith(PACKED_ENDINGS):
        name = name[: name.rindex(".")]
    return name


def read_delimited(stream: ByteStream, path: str, *, max_record_bytes: int) -> Chunks:
    """Read delimited text with a header; a TSV by its own rules.

    A row that cannot be read costs its first line; reading goes on at the next.

    Args:
        stream: plain bytes.
        path: the name of the file, which says whether it is a TSV.
        max_record_bytes: longest row.

    Yields:
        Chunks in file order; a row that cannot be read is `malformed_csv`, `bad_encoding` or
        `too_large`.

    Raises:
        UnreadableFileError: `missing_header`: the first line names no field of an event.
    """
    lines = LineReader(stream, max_record_bytes)
    is_tsv = _plain_path(path).endswith(".tsv")
    chunk = RecordChunk(is_text_format=True)
    header = read_header(lines, chunk, is_tsv=is_tsv, max_record_bytes=max_record_bytes)
    if header is None:
        yield chunk
        return
    rows = _RowReader(lines, header, max_record_bytes)
    while rows.add_next(chunk):
        if chunk.is_full or len(chunk.unreadable) >= CHUNK_RECORDS or rows.raw_bytes > CHUNK_BYTES:
            yield chunk
            chunk = RecordChunk(is_text_format=True)
            rows.raw_bytes = 0
    yield chunk


class _RowReader:
    """Adds rows to chunks.

    Attributes:
        raw_bytes: how much text is kept of rows that cannot be read.
    """

    def __init__(self, lines: LineReader, header: Header, max_record_bytes: int) -> None:
        self._lines = lines
        self._names = header.names
        self._keys = header.keys if len(set(header.names)) < len(header.names) else []
        self._splitter = RowSplitter(lines, header.form, max_record_bytes)
        self._max_record_bytes = max_record_bytes
        self.raw_bytes = 0

    def add_next(self, chunk: RecordChunk) -> bool:
        """Read the next row; False at the end."""
        line = self._lines.next()
        if line is None:
            return False
        number = self._lines.number
        if isinstance(line, HashedBytes):
            self._add_unreadable(chunk, line.unreadable("too_large", line=number))
            return True
        text = line.decode("utf-8", "surrogateescape")
        if text.startswith(MARK) and self._is_joined_header(text):
            chunk.blank_lines += 1
            return True
        cells = self._splitter.split(text)
        if cells is None or self._has_too_many(cells):
            self._lines.give_back(self._splitter.taken)
            self._add_unreadable(chunk, Unreadable.of("malformed_csv", line, line=number))
        elif self._is_blank(cells):
            chunk.blank_lines += 1
        else:
            self._add_row(chunk, cells, line, number)
        return True

    def _has_too_many(self, cells: list[str]) -> bool:
        width = len(self._names)
        return len(cells) > width and not all(map(is_blank, cells[width:]))

    def _is_blank(self, cells: list[str]) -> bool:
        first = cells[0]
        if (not first or first.isspace()) and all(map(is_blank, cells)):
            return True
        # The first name of a header may be blank: that of an index.
        return first.strip(WHITE_SPACE) == self._names[0] and self._is_header(cells)

    def _is_header(self, cells: list[str]) -> bool:
        return [cell.strip(WHITE_SPACE) for cell in cells] == self._names

    def _is_joined_header(self, text: str) -> bool:
        """Whether a line is where another file was joined to this one, with its mark."""
        cells = self._splitter.split(text.lstrip(MARK))
        if cells is not None and self._is_header(cells):
            return True
        self._lines.give_back(self._splitter.taken)
        return False

    def _add_row(self, chunk: RecordChunk, cells: list[str], line: bytes, number: int) -> None:
        taken = self._splitter.taken
        if taken:
            line += b"".join(taken)  # type: ignore[arg-type]
            if len(line.rstrip(b"\r\n")) > self._max_record_bytes:
                self._add_unreadable(chunk, Unreadable.of("too_large", line, line=number))
                return
        try:
            chunk.add(self._encode_row(cells), number)
        except UnicodeEncodeError:
            self._add_unreadable(chunk, Unreadable.of("bad_encoding", line, line=number))

    def _encode_row(self, cells: list[str]) -> bytes:
        if not self._keys:
            cells_by_name = zip(self._names, cells, strict=False)
            return _encode({name: cell for name, cell in cells_by_name if cell})
        # A name that stands twice stays so: of a duplicate key the last counts, with a warning.
        pairs = zip(self._keys, cells, strict=False)
        return b"{" + b",".join([key + b":" + _encode(cell) for key, cell in pairs if cell]) + b"}"

    def _add_unreadable(self, chunk: RecordChunk, unreadable: Unreadable) -> None:
        chunk.unreadable.append(unreadable)
        self.raw_bytes += len(unreadable.raw)

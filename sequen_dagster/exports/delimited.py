"""Exports: CSV and TSV rows as JSON object texts in column order.

In: plain bytes. Out: `RecordChunk`s. Every cell is text; one that is absent is left out.
"""

import csv
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import msgspec

from sequen_dagster.errors import UnreadableFileError
from sequen_dagster.exports.compression import PACKED_ENDINGS, ByteStream
from sequen_dagster.exports.records import (
    CHUNK_BYTES,
    CHUNK_RECORDS,
    Chunks,
    HashedBytes,
    RecordChunk,
    Unreadable,
)
from sequen_dagster.exports.unsupported import begins_with_bracket
from sequen_dagster.fields import ALIASES, FIELD_NAMES
from sequen_dagster.runtime.text import counted
from sequen_dagster.settings.absence import WHITE_SPACE, is_blank

_DELIMITERS: Final = ",;\t|"
_BLOCK_BYTES: Final = 1 << 20
_MARK: Final = "\ufeff"
# What stands in a row of blank cells.
_BLANK_ROW: Final = WHITE_SPACE + _DELIMITERS + _MARK
# Absent whether quoted or not; `NULL` only where it is not.
_NO_VALUE: Final = "\\N"
_NO_VALUE_UNQUOTED: Final = "NULL"
_QUOTED_NULL: Final = '"NULL"'
_NO_LIMIT: Final = 2**31 - 1

# A quoted cell from behind its first quote to behind its last. Possessive: never tried twice.
_CLOSE: Final = re.compile(r'[^"]*+(?:""[^"]*+)*+"')
_QUOTED: Final = re.compile(r'"[^"]*+(?:""[^"]*+)*+"')
_SEPARATOR_LINE: Final = re.compile(r'("?)sep=([^"\r\n])\1[\r\n]*', re.IGNORECASE)

_encode: Final = msgspec.json.Encoder().encode


def _plain_name(name: str) -> str:
    return name.strip(WHITE_SPACE).replace("_", "").lower()


_KNOWN_NAMES: Final = frozenset(map(_plain_name, (*FIELD_NAMES, *ALIASES)))


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
    lines = _Lines(stream, max_record_bytes)
    is_tsv = _plain_path(path).endswith(".tsv")
    chunk = RecordChunk(is_text_format=True)
    header = _read_header(lines, chunk, is_tsv=is_tsv, max_record_bytes=max_record_bytes)
    if header is None:
        yield chunk
        return
    rows = _Rows(lines, header, max_record_bytes)
    while rows.add_next(chunk):
        if chunk.is_full or len(chunk.unreadable) >= CHUNK_RECORDS or rows.raw_bytes > CHUNK_BYTES:
            yield chunk
            chunk = RecordChunk(is_text_format=True)
            rows.raw_bytes = 0
    yield chunk


@dataclass(frozen=True)
class _Form:
    """How the cells of a line are told apart.

    Attributes:
        delimiter: one character.
        has_blank: whether one blank behind each delimiter belongs to it.
        is_tsv: whether a line is a record, whatever its quotes.
    """

    delimiter: str
    has_blank: bool
    is_tsv: bool

    @property
    def opener(self) -> re.Pattern[str]:
        """A delimiter and the quote behind it."""
        return re.compile(re.escape(self.delimiter) + (" ?" if self.has_blank else "") + '"')

    def split(self, text: str) -> list[str]:
        """Cells that hold no quotes, absent ones empty."""
        cells = text.split(self.delimiter)
        if self.has_blank:
            cells[1:] = [cell.removeprefix(" ") for cell in cells[1:]]
        if _NO_VALUE_UNQUOTED in text or _NO_VALUE in text:
            return ["" if cell in (_NO_VALUE, _NO_VALUE_UNQUOTED) else cell for cell in cells]
        return cells

    def split_tsv(self, text: str) -> list[str]:
        """Cells of a line of a TSV, absent ones empty."""
        cells = self.split(text)
        if '"' not in text:
            return cells
        return [_unquoted(cell) for cell in cells]


@dataclass(frozen=True)
class _Header:
    """The names of the columns, as text and as JSON."""

    form: _Form
    names: list[str]

    @property
    def keys(self) -> list[bytes]:
        """The names as JSON texts; empty where one is not UTF-8."""
        try:
            return [_encode(name) for name in self.names]
        except UnicodeEncodeError:
            return []


def _unquoted(cell: str) -> str:
    if len(cell) < 2 or not (cell.startswith('"') and cell.endswith('"')):
        return cell
    inner = cell[1:-1].replace('""', '"')
    return "" if inner == _NO_VALUE else inner


def _read_header(
    lines: "_Lines", chunk: RecordChunk, *, is_tsv: bool, max_record_bytes: int
) -> _Header | None:
    """The header; None where the file holds nothing but blank lines."""
    first = _next_filled(lines, chunk)
    delimiter = ""
    found = _SEPARATOR_LINE.fullmatch(first or "")
    if found and (found[2] == "\t" or not is_tsv):
        delimiter = found[2]
        first = _next_filled(lines, chunk)
    if first is None:
        return None
    bare = _QUOTED.sub("", _whole_header(lines, first, max_record_bytes, is_tsv=is_tsv))
    delimiter = "\t" if is_tsv else delimiter or max(_DELIMITERS, key=bare.count)
    has_blank = 0 < bare.count(delimiter) == bare.count(delimiter + " ")
    form = _Form(delimiter, has_blank, is_tsv)
    names = _Splitter(lines, form, max_record_bytes).split(first)
    if names is None or _KNOWN_NAMES.isdisjoint(map(_plain_name, names)):
        raise _missing_header(lines)
    return _Header(form, [name.strip(WHITE_SPACE) for name in names])


def _next_filled(lines: "_Lines", chunk: RecordChunk) -> str | None:
    """The next line that holds something, without marks before it; None at the end."""
    while (line := lines.next()) is not None:
        if isinstance(line, HashedBytes):
            raise _missing_header(lines)
        text = line.decode("utf-8", "surrogateescape")
        if text.strip(_BLANK_ROW):
            return text.lstrip(_MARK)
        chunk.blank_lines += 1
    return None


def _whole_header(lines: "_Lines", first: str, max_record_bytes: int, *, is_tsv: bool) -> str:
    """The header with the lines that its quoted names go on over, which are not taken.

    One whose quotes are never closed is its first line.
    """
    parts, ahead = [first], list[bytes | HashedBytes]()
    is_open, size = not is_tsv and first.count('"') % 2 == 1, 0
    while is_open and size < max_record_bytes and (line := lines.next()) is not None:
        ahead.append(line)
        if isinstance(line, HashedBytes):
            break
        is_open ^= line.count(b'"') % 2 == 1
        size += len(line)
        parts.append(line.decode("utf-8", "surrogateescape"))
    lines.give_back(ahead)
    return first if is_open else "".join(parts)


def _missing_header(lines: "_Lines") -> UnreadableFileError:
    while lines.next() is not None:
        pass
    verb = "was" if lines.number == 1 else "were"
    message = (
        "The file has no header: its first line names no field of an event, such as `type` or "
        f"`original_timestamp`. {counted(lines.number, 'line')} {verb} not read. Write the names "
        "of the columns into the first line."
    )
    return UnreadableFileError("missing_header", message)


class _Splitter(Iterator[str]):
    """Takes rows apart that may go on over several lines (RFC 4180).

    Attributes:
        taken: the lines that the row took behind its first.
    """

    def __init__(self, lines: "_Lines", form: _Form, max_record_bytes: int) -> None:
        self._lines = lines
        self._form = form
        self._opener = form.opener
        # One that is somewhat too large is told from one whose quote is never closed.
        self._most_bytes = 2 * max_record_bytes
        self._taken_bytes = 0
        self._begin: str | None = None
        # Reading stops at our own limit; the one of `csv` is of the whole process.
        csv.field_size_limit(_NO_LIMIT)
        self._reader = csv.reader(self, delimiter=form.delimiter, strict=True)
        self.taken: list[bytes | HashedBytes] = []

    def __iter__(self) -> Iterator[str]:
        """The lines of one row, for `csv`."""
        return self

    def __next__(self) -> str:
        """The line that a row begins with, then those behind it."""
        line, self._begin = self._begin or self._more(), None
        if line is None:
            raise StopIteration
        return line

    def split(self, text: str) -> list[str] | None:
        """The cells of the row that begins with a line, absent ones empty.

        Returns:
            None where it cannot be read; the lines behind its first are given back.
        """
        self.taken, self._taken_bytes = [], 0
        if self._form.is_tsv:
            return self._form.split_tsv(text.rstrip("\r\n"))
        if '"' not in text:
            return self._form.split(text.rstrip("\r\n"))
        has_null = _NO_VALUE_UNQUOTED in text
        if self._form.has_blank or (has_null and _QUOTED_NULL in text):
            return self._given_back(self._told_apart(text))
        cells = self._quoted_row(text, has_null=has_null)
        if cells and self.taken and self._takes(_QUOTED_NULL.encode()):
            self._lines.give_back(self.taken)
            self.taken, self._taken_bytes = [], 0
            cells = self._told_apart(text)
        return self._given_back(cells)

    def _takes(self, part: bytes) -> bool:
        return any(isinstance(line, bytes) and part in line for line in self.taken)

    def _given_back(self, cells: list[str] | None) -> list[str] | None:
        """The cells; where there are none, the lines behind the first are given back."""
        if cells is None:
            self._lines.give_back(self.taken)
            self.taken = []
        return cells

    def _quoted_row(self, text: str, *, has_null: bool) -> list[str] | None:
        """The cells as `csv` reads them, which cannot tell a quoted NULL from another."""
        self._begin = text
        try:
            cells = next(self._reader)
        except csv.Error:
            return None
        if has_null or self.taken or _NO_VALUE in text:
            return ["" if cell in (_NO_VALUE, _NO_VALUE_UNQUOTED) else cell for cell in cells]
        return cells

    def _told_apart(self, text: str) -> list[str] | None:
        """The cells, those that are quoted told from the others."""
        form, cells, at = self._form, list[str](), 0
        body = text.rstrip("\r\n")
        while True:
            if not body.startswith('"', at):
                found = self._opener.search(body, at)
                cells += form.split(body[at : found.start()] if found else body[at:])
                if not found:
                    return cells
                at = found.end() - 1
            parts: list[str] = []
            at += 1
            while not (closed := _CLOSE.match(body, at)):
                parts.append(text[at:])
                following = self._more()
                if following is None:
                    return None
                text, body, at = following, following.rstrip("\r\n"), 0
            parts.append(body[at : closed.end() - 1])
            cell = "".join(parts).replace('""', '"')
            cells.append("" if cell == _NO_VALUE else cell)
            at = closed.end()
            if at == len(body):
                return cells
            if not body.startswith(form.delimiter, at):
                return None
            at += 1
            at += form.has_blank and body.startswith(" ", at)

    def _more(self) -> str | None:
        line = self._lines.next()
        if line is None:
            return None
        self.taken.append(line)
        if isinstance(line, HashedBytes):
            return None
        self._taken_bytes += len(line)
        if self._taken_bytes > self._most_bytes:
            return None
        return line.decode("utf-8", "surrogateescape")


class _Rows:
    """Adds rows to chunks.

    Attributes:
        raw_bytes: how much text is kept of rows that cannot be read.
    """

    def __init__(self, lines: "_Lines", header: _Header, max_record_bytes: int) -> None:
        self._lines = lines
        self._names = header.names
        self._keys = header.keys if len(set(header.names)) < len(header.names) else []
        self._splitter = _Splitter(lines, header.form, max_record_bytes)
        self._max_record_bytes = max_record_bytes
        self.raw_bytes = 0

    def add_next(self, chunk: RecordChunk) -> bool:
        """Read the next row; False at the end."""
        line = self._lines.next()
        if line is None:
            return False
        number = self._lines.number
        if isinstance(line, HashedBytes):
            self._refuse(chunk, line.unreadable("too_large", line=number))
            return True
        text = line.decode("utf-8", "surrogateescape")
        if text.startswith(_MARK) and self._is_joined_header(text):
            chunk.blank_lines += 1
            return True
        cells = self._splitter.split(text)
        if cells is None or self._has_too_many(cells):
            self._lines.give_back(self._splitter.taken)
            self._refuse(chunk, Unreadable.of("malformed_csv", line, line=number))
        elif self._is_blank(cells):
            chunk.blank_lines += 1
        else:
            self._add(chunk, cells, line, number)
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
        cells = self._splitter.split(text.lstrip(_MARK))
        if cells is not None and self._is_header(cells):
            return True
        self._lines.give_back(self._splitter.taken)
        return False

    def _add(self, chunk: RecordChunk, cells: list[str], line: bytes, number: int) -> None:
        taken = self._splitter.taken
        if taken:
            line += b"".join(taken)  # type: ignore[arg-type]
            if len(line.rstrip(b"\r\n")) > self._max_record_bytes:
                self._refuse(chunk, Unreadable.of("too_large", line, line=number))
                return
        try:
            chunk.add(self._encoded(cells), number)
        except UnicodeEncodeError:
            self._refuse(chunk, Unreadable.of("bad_encoding", line, line=number))

    def _encoded(self, cells: list[str]) -> bytes:
        if not self._keys:
            cells_by_name = zip(self._names, cells, strict=False)
            return _encode({name: cell for name, cell in cells_by_name if cell})
        # A name that stands twice stays so: of a duplicate key the last counts, with a warning.
        pairs = zip(self._keys, cells, strict=False)
        return b"{" + b",".join([key + b":" + _encode(cell) for key, cell in pairs if cell]) + b"}"

    def _refuse(self, chunk: RecordChunk, unreadable: Unreadable) -> None:
        chunk.unreadable.append(unreadable)
        self.raw_bytes += len(unreadable.raw)


class _Lines:
    """Lines of a byte stream, with their ends, numbered from 1; some can be given back.

    Attributes:
        number: of the line given last.
    """

    def __init__(self, stream: ByteStream, max_line_bytes: int) -> None:
        self._lines = _byte_lines(stream, max_line_bytes)
        self._returned: list[bytes | HashedBytes] = []
        self.number = 0

    def next(self) -> bytes | HashedBytes | None:
        """The next line; its beginning and hash where it is too long; None at the end."""
        line = self._returned.pop() if self._returned else next(self._lines, None)
        self.number += line is not None
        return line

    def give_back(self, lines: list[bytes | HashedBytes]) -> None:
        """Take back the lines given last, in their order."""
        self._returned += reversed(lines)
        self.number -= len(lines)


def _byte_lines(stream: ByteStream, max_line_bytes: int) -> Iterator[bytes | HashedBytes]:
    held = b""
    passed: HashedBytes | None = None
    while block := stream.read(_BLOCK_BYTES):
        lines = (held + block).splitlines(keepends=True)
        # A lone CR at the end may be half of a CRLF.
        held = lines.pop() if not block.endswith(b"\n") else b""
        for line in lines:
            if passed is None and len(line.rstrip(b"\r\n")) <= max_line_bytes:
                yield line
            else:
                passed = passed or HashedBytes()
                passed.add(line)
                yield passed
                passed = None
        text = held.removesuffix(b"\r")
        if passed is not None or len(text) > max_line_bytes:
            passed = passed or HashedBytes()
            passed.add(text)
            held = held[len(text) :]
    if passed is not None:
        passed.add(held)
        yield passed
    elif held:
        yield held

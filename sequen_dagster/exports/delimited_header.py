"""Exports: the header of CSV or TSV: the names of the columns, and how rows are delimited.

In: the first lines of a file. Out: a `Header`, or the error that the file has none.
"""

import re
from dataclasses import dataclass
from typing import Final

import msgspec

from sequen_dagster.errors import UnreadableFileError
from sequen_dagster.exports.delimited_cells import RowForm, RowSplitter
from sequen_dagster.exports.delimited_lines import Line, LineReader
from sequen_dagster.exports.records import HashedBytes, RecordChunk
from sequen_dagster.fields import ALIASES, FIELD_NAMES
from sequen_dagster.runtime.text import counted
from sequen_dagster.settings.absence import WHITE_SPACE

# Stands before a text in UTF-8, and where files were joined.
MARK: Final = "\ufeff"

_DELIMITERS: Final = ",;\t|"
# The characters that a row of blank cells holds.
_BLANK_ROW: Final = WHITE_SPACE + _DELIMITERS + MARK
_QUOTED: Final = re.compile(r'"[^"]*+(?:""[^"]*+)*+"')
_SEPARATOR_LINE: Final = re.compile(r'("?)sep=([^"\r\n])\1[\r\n]*', re.IGNORECASE)

_encode: Final = msgspec.json.Encoder().encode


def _plain_name(name: str) -> str:
    return name.strip(WHITE_SPACE).replace("_", "").lower()


_KNOWN_NAMES: Final = frozenset(map(_plain_name, (*FIELD_NAMES, *ALIASES)))


@dataclass(frozen=True)
class Header:
    """The names of the columns, as text and as JSON, and the form of the rows."""

    form: RowForm
    names: list[str]

    @property
    def keys(self) -> list[bytes]:
        """The names as JSON texts; empty where one is not UTF-8."""
        try:
            return [_encode(name) for name in self.names]
        except UnicodeEncodeError:
            return []


def read_header(
    lines: LineReader, chunk: RecordChunk, *, is_tsv: bool, max_record_bytes: int
) -> Header | None:
    """Read the header; a line `sep=;` before it names the delimiter.

    Args:
        lines: the file, at its beginning.
        chunk: counts the blank lines before the header.
        is_tsv: whether the file is a TSV.
        max_record_bytes: longest row.

    Returns:
        None where the file holds nothing but blank lines.

    Raises:
        UnreadableFileError: `missing_header`: the first line names no field of an event.
    """
    first = _read_filled_line(lines, chunk)
    delimiter = ""
    found = _SEPARATOR_LINE.fullmatch(first or "")
    if found and (found[2] == "\t" or not is_tsv):
        delimiter = found[2]
        first = _read_filled_line(lines, chunk)
    if first is None:
        return None
    bare = _QUOTED.sub("", _read_whole_header(lines, first, max_record_bytes, is_tsv=is_tsv))
    delimiter = "\t" if is_tsv else delimiter or max(_DELIMITERS, key=bare.count)
    has_blank = 0 < bare.count(delimiter) == bare.count(delimiter + " ")
    form = RowForm(delimiter, has_blank, is_tsv)
    names = RowSplitter(lines, form, max_record_bytes).split(first)
    if names is None or _KNOWN_NAMES.isdisjoint(map(_plain_name, names)):
        raise _missing_header_error(lines)
    return Header(form, [name.strip(WHITE_SPACE) for name in names])


def _read_filled_line(lines: LineReader, chunk: RecordChunk) -> str | None:
    """Read the next line that holds something, without marks before it; None at the end."""
    while (line := lines.next()) is not None:
        if isinstance(line, HashedBytes):
            raise _missing_header_error(lines)
        text = line.decode("utf-8", "surrogateescape")
        if text.strip(_BLANK_ROW):
            return text.lstrip(MARK)
        chunk.blank_lines += 1
    return None


def _read_whole_header(
    lines: LineReader, first: str, max_record_bytes: int, *, is_tsv: bool
) -> str:
    """Read the header with the lines that its quoted names go on over, and give those back.

    A header whose quotes are never closed is its first line.
    """
    parts, ahead = [first], list[Line]()
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


def _missing_header_error(lines: LineReader) -> UnreadableFileError:
    while lines.next() is not None:
        pass
    verb = "was" if lines.number == 1 else "were"
    message = (
        "The file has no header: its first line names no field of an event, such as `type` or "
        f"`original_timestamp`. {counted(lines.number, 'line')} {verb} not read. Write the names "
        "of the columns into the first line."
    )
    return UnreadableFileError("missing_header", message)

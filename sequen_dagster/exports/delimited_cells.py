"""Exports: the cells of one row of CSV or TSV, absent ones empty.

In: the lines of a file, and the form of its rows. Out: a list of texts a row, which may go on over
several lines (RFC 4180).
"""

import csv
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from sequen_dagster.exports.delimited_lines import Line, LineReader
from sequen_dagster.exports.records import HashedBytes

# Absent whether quoted or not; `NULL` only where it is not.
_NO_VALUE: Final = "\\N"
_NO_VALUE_UNQUOTED: Final = "NULL"
_QUOTED_NULL: Final = '"NULL"'
_NO_LIMIT: Final = 2**31 - 1
# A quoted cell from after its first quote to after its last. Possessive: never tried twice.
_CLOSE: Final = re.compile(r'[^"]*+(?:""[^"]*+)*+"')


@dataclass(frozen=True)
class RowForm:
    """How the cells of a line are separated.

    Attributes:
        delimiter: one character.
        has_blank: whether one blank after each delimiter belongs to it.
        is_tsv: whether a line is a record, whatever its quotes.
    """

    delimiter: str
    has_blank: bool
    is_tsv: bool

    @property
    def opener(self) -> re.Pattern[str]:
        """A delimiter and the quote after it."""
        return re.compile(re.escape(self.delimiter) + (" ?" if self.has_blank else "") + '"')

    def split(self, text: str) -> list[str]:
        """Split a line without quotes into cells, absent ones empty."""
        cells = text.split(self.delimiter)
        if self.has_blank:
            cells[1:] = [cell.removeprefix(" ") for cell in cells[1:]]
        if _NO_VALUE_UNQUOTED in text or _NO_VALUE in text:
            return ["" if cell in (_NO_VALUE, _NO_VALUE_UNQUOTED) else cell for cell in cells]
        return cells

    def split_tsv(self, text: str) -> list[str]:
        """Split a line of a TSV into cells, absent ones empty."""
        cells = self.split(text)
        if '"' not in text:
            return cells
        return [_unquote(cell) for cell in cells]


class RowSplitter(Iterator[str]):
    """Splits rows that may go on over several lines (RFC 4180).

    Attributes:
        taken: the lines that the row took after its first.
    """

    def __init__(self, lines: LineReader, form: RowForm, max_record_bytes: int) -> None:
        self._lines = lines
        self._form = form
        self._opener = form.opener
        # Distinguishes a row that is somewhat too large from one whose quote is never closed.
        self._most_bytes = 2 * max_record_bytes
        self._taken_bytes = 0
        self._begin: str | None = None
        # Reading stops at our own limit; the one of `csv` is of the whole process.
        csv.field_size_limit(_NO_LIMIT)
        self._reader = csv.reader(self, delimiter=form.delimiter, strict=True)
        self.taken: list[Line] = []

    def __iter__(self) -> Iterator[str]:
        """The lines of one row, for `csv`."""
        return self

    def __next__(self) -> str:
        """The line that a row begins with, then those after it."""
        line, self._begin = self._begin or self._take_line(), None
        if line is None:
            raise StopIteration
        return line

    def split(self, text: str) -> list[str] | None:
        """Split the row that begins with a line into cells, absent ones empty.

        Returns:
            None where it cannot be read; the lines after its first are given back.
        """
        self.taken, self._taken_bytes = [], 0
        if self._form.is_tsv:
            return self._form.split_tsv(text.rstrip("\r\n"))
        if '"' not in text:
            return self._form.split(text.rstrip("\r\n"))
        has_null = _NO_VALUE_UNQUOTED in text
        if self._form.has_blank or (has_null and _QUOTED_NULL in text):
            return self._give_back_unless(self._split_by_quotes(text))
        cells = self._split_by_csv(text, has_null=has_null)
        if cells and self.taken and self._any_taken_holds(_QUOTED_NULL.encode()):
            self._lines.give_back(self.taken)
            self.taken, self._taken_bytes = [], 0
            cells = self._split_by_quotes(text)
        return self._give_back_unless(cells)

    def _any_taken_holds(self, part: bytes) -> bool:
        return any(isinstance(line, bytes) and part in line for line in self.taken)

    def _give_back_unless(self, cells: list[str] | None) -> list[str] | None:
        """Return the cells; where there are none, give back the lines after the first."""
        if cells is None:
            self._lines.give_back(self.taken)
            self.taken = []
        return cells

    def _split_by_csv(self, text: str, *, has_null: bool) -> list[str] | None:
        """Split by `csv`, which does not distinguish a quoted NULL from another."""
        self._begin = text
        try:
            cells = next(self._reader)
        except csv.Error:
            return None
        if has_null or self.taken or _NO_VALUE in text:
            return ["" if cell in (_NO_VALUE, _NO_VALUE_UNQUOTED) else cell for cell in cells]
        return cells

    def _split_by_quotes(self, text: str) -> list[str] | None:
        """Split by quotes and delimiters, so that a quoted NULL stays a text."""
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
                following = self._take_line()
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

    def _take_line(self) -> str | None:
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


def _unquote(cell: str) -> str:
    if len(cell) < 2 or not (cell.startswith('"') and cell.endswith('"')):
        return cell
    inner = cell[1:-1].replace('""', '"')
    return "" if inner == _NO_VALUE else inner

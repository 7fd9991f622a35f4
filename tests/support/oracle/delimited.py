"""Section 2, CSV and TSV: the text of a file to its rows.

In: text, its broken bytes as lone surrogates. Out: rows with their line, or what is wrong with
them.
"""

import re
from dataclasses import dataclass, field

from support.oracle.words import ALIASES, FIELDS, is_blank

DELIMITERS = (",", ";", "\t", "|")
LINE = re.compile(r"([^\r\n]*)(\r\n|\n|\r|\Z)")
KNOWN = {name.replace("_", "") for name in (*FIELDS, *ALIASES)}


class UnreadableRowError(Exception):
    """A quote is not closed, or text stands behind one."""


@dataclass(frozen=True)
class Row:
    """A row: its line, and its present cells by name, or why it cannot be read."""

    line: int
    cells: dict[str, str] = field(default_factory=dict)
    problem: str | None = None


@dataclass
class Table:
    """What a file of delimited text holds."""

    rows: list[Row] = field(default_factory=list)
    blank_lines: int = 0


@dataclass(frozen=True)
class Cell:
    """A cell as it was written."""

    text: str
    is_quoted: bool = False

    @property
    def is_absent(self) -> bool:
        """Whether it says nothing."""
        return self.text in ("", "\\N") or (
            self.text == "NULL" and not self.is_quoted
        )  # fmt: skip

    @property
    def is_filled(self) -> bool:
        """Whether it says something that is not blank."""
        return not self.is_absent and not is_blank(self.text)


class Delimited:
    """A file that is read from its first line to its last."""

    def __init__(self, text: str, *, is_tsv: bool) -> None:
        self.lines = lines_of(text.removeprefix("\ufeff"))
        self.is_tsv = is_tsv
        self.delimiter = ""
        self.has_blanks = False
        self.names: list[str] = []

    def read(self) -> Table:
        """Read header and rows."""
        table = Table()
        number = 0
        says = re.fullmatch("sep=(.)", self.lines[0]) if self.lines and not self.is_tsv else None
        if says is not None:
            self.delimiter = says[1]
            number = 1
        while number < len(self.lines) and is_blank(self.lines[number]):
            table.blank_lines += 1
            number += 1
        if number == len(self.lines):
            return table
        self.delimiter = self.delimiter or delimiter_of(self.lines[number])
        try:
            header, _ = self.cells(number)
            behind = [cell.text for cell in header[1:]]
            self.has_blanks = bool(behind) and all(name.startswith(" ") for name in behind)
            header, number = self.cells(number)
        except UnreadableRowError:
            header = []
        self.names = [cell.text.strip() for cell in header]
        if not any(name.lower().replace("_", "") in KNOWN for name in self.names):
            return Table([Row(0, problem="missing_header")])
        while number < len(self.lines):
            number = self.row(number, table)
        return table

    def row(self, number: int, table: Table) -> int:
        """Add the row that starts on this line; return the line behind it."""
        try:
            cells, end = self.cells(number)
        except UnreadableRowError:
            cells, end = [Cell("")] * len(self.names) + [Cell("x")], number + 1
        text = "".join(self.lines[number:end])
        if not any(cell.is_filled for cell in cells) or self.is_header(cells):
            table.blank_lines += 1
        elif any(cell.is_filled for cell in cells[len(self.names) :]):
            table.rows.append(Row(number + 1, problem="malformed_csv"))
            end = number + 1
        elif any("\udc80" <= character <= "\udcff" for character in text):
            table.rows.append(Row(number + 1, problem="bad_encoding"))
        else:
            present = {
                name: cell.text
                for name, cell in zip(self.names, cells, strict=False)
                if not cell.is_absent
            }
            table.rows.append(Row(number + 1, present))
        return end

    def is_header(self, cells: list[Cell]) -> bool:
        """Return whether a row is the header again."""
        return [cell.text.strip() for cell in cells] == self.names

    def cells(self, number: int) -> tuple[list[Cell], int]:
        """Return the cells of the row that starts on this line, and the line behind it."""
        if self.is_tsv:
            return [unquoted(cell) for cell in self.lines[number].split("\t")], number + 1
        # Quoted cells may reach over lines.
        for end in range(number + 1, len(self.lines) + 1):
            row = split_row("\n".join(self.lines[number:end]), self.delimiter, self.has_blanks)
            if row is not None:
                return row, end
        raise UnreadableRowError


def lines_of(text: str) -> list[str]:
    """Return the physical lines; behind the last line end nothing is left."""
    return [match[1] for match in LINE.finditer(text) if match[0]]


def delimiter_of(header: str) -> str:
    """Return the delimiter that stands most often in the header, outside of quotes."""
    bare = re.sub(r'"[^"]*("|\Z)', "", header)
    return max(DELIMITERS, key=bare.count)


def unquoted(cell: str) -> Cell:
    """Read a cell of TSV."""
    if len(cell) >= 2 and cell[0] == cell[-1] == '"':
        return Cell(cell[1:-1].replace('""', '"'), is_quoted=True)
    return Cell(cell)


def split_row(text: str, delimiter: str, has_blanks: bool) -> list[Cell] | None:
    """Split a row by RFC 4180; None where a quote is not closed.

    Raises:
        UnreadableRowError: Text stands behind a closing quote.
    """
    cells: list[Cell] = []
    place = 0
    while True:
        if has_blanks and cells and text[place : place + 1] == " ":
            place += 1
        if text[place : place + 1] == '"':
            match = re.compile(r'"((?:[^"]|"")*)"(?!")').match(text, place)
            if match is None:
                return None
            cells.append(Cell(match[1].replace('""', '"'), is_quoted=True))
            place = match.end()
            if text[place : place + 1] not in ("", delimiter):
                raise UnreadableRowError
        else:
            end = text.find(delimiter, place)
            end = len(text) if end < 0 else end
            cells.append(Cell(text[place:end]))
            place = end
        if place == len(text):
            return cells
        place += 1

"""CSV and TSV exports as records."""

import csv
import io
import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sequen_dagster.errors import UnreadableFileError
from sequen_dagster.exports.delimited import read_delimited
from sequen_dagster.exports.delimited_cells import RowForm, RowSplitter
from sequen_dagster.exports.delimited_lines import LineReader
from sequen_dagster.exports.limits import ReadLimits
from sequen_dagster.exports.readers import ExportReader
from sequen_dagster.settings.absence import is_blank
from support.builders import chunks_of, export, refused_as, validate_file

HEAD = "type,original_timestamp,uid,note\n"
ROW = "scroll,2025-07-14,u1,x\n"


def texts(tmp_path: Path, content: str | bytes, name: str = "a.csv", **limits: int) -> list[Any]:
    chunks, _ = chunks_of(tmp_path, content, name, **limits)
    return [json.loads(text) for chunk in chunks for text in chunk.texts]


@pytest.mark.bad_input(58)
@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
@pytest.mark.parametrize("name", ["a.csv", "A.CSV", "a.csv.gz", "a.csv.lz4"])
def test_delimiter_is_the_most_frequent_of_the_header(
    tmp_path: Path, delimiter: str, name: str
) -> None:
    content = delimiter.join(["type", "uid", "a b"]) + "\n" + delimiter.join(["x", "1", ""])

    assert texts(tmp_path, content, name) == [{"type": "x", "uid": "1"}]


@pytest.mark.bad_input(56, 58)
def test_cells_are_text_and_quotes_are_read(tmp_path: Path) -> None:
    content = 'uid,b,c\n007,"x,""y""\nz",\n"","1.0",=cmd\n'

    assert texts(tmp_path, content) == [{"uid": "007", "b": 'x,"y"\nz'}, {"b": "1.0", "c": "=cmd"}]


def test_lineage_counts_physical_lines(tmp_path: Path) -> None:
    content = f'\ufeff\n{HEAD}{ROW}scroll,2025-07-14,u1,"two\nlines"\n\n   \n{ROW}'
    verdict = validate_file(tmp_path, content, "a.csv")

    assert verdict.places == [(3, 1), (4, 1), (8, 1)]
    assert (verdict.blank_lines, verdict.file_format) == (3, "csv")


@pytest.mark.fault(14)
@pytest.mark.bad_input(58)
@pytest.mark.parametrize(
    ("bad", "rule"),
    [
        ("a,b,c,d,e\n", "malformed_csv"),
        ('scroll,"2025,u1,x\n', "malformed_csv"),
        ('scroll,"a"b,u1,x\n', "malformed_csv"),
        (b"scroll,2025-07-14,u\xfc,x\n", "bad_encoding"),
        ("scroll,2025-07-14,u1," + "x" * 400 + "\n", "too_large"),
    ],
)
@pytest.mark.parametrize("end", ["", ROW])
def test_bad_row_does_not_cost_the_others(
    tmp_path: Path, bad: str | bytes, rule: str, end: str
) -> None:
    middle = bad if isinstance(bad, bytes) else bad.encode()
    content = HEAD.encode() + ROW.encode() + middle + end.encode()
    verdict = validate_file(tmp_path, content, "a.csv", max_record_bytes=300)

    assert verdict.places == [(2, 1), (4, 1)][: 1 + bool(end)]
    assert verdict.bad_places == [(3, 1, rule)]
    assert verdict.quarantined[0]["raw_bytes"] == len(middle)


def test_carriage_returns_end_lines(tmp_path: Path) -> None:
    rows = [{"id": "1", "b": "2"}, {"id": "3", "b": "4"}]

    assert texts(tmp_path, "id,b\r1,2\r3,4\r") == rows
    assert texts(tmp_path, "id,b\r\n1,2\r\n3,4") == rows


@pytest.mark.fault(13)
@pytest.mark.bad_input(58)
@pytest.mark.parametrize("content", ["", "\n\n", "id,b\n", "id,b", "sep=;", "sep=;\nid;b\n\n"])
def test_header_alone_holds_no_records(tmp_path: Path, content: str) -> None:
    assert validate_file(tmp_path, content, "a.csv").records == 0


@pytest.mark.bad_input(58)
def test_duplicate_header_keeps_the_last_and_warns(tmp_path: Path) -> None:
    content = "type,original_timestamp,uid,uid\nscroll,2025-07-14,u1,u2\n"
    verdict = validate_file(tmp_path, content, "a.csv")

    assert verdict.accepted[0]["uid"] == "u2"
    assert verdict.warned == {"duplicate_key"}


def test_csv_numbers_are_text_by_nature_and_do_not_warn(tmp_path: Path) -> None:
    content = (
        "type;original_timestamp;uid;rank;dwell_ms;item_id;item_ids\n"
        'impression;1752484522;7;3;1.5;9;"[""a"", 7]"\n'
        "impression;1752484522;7;x;-1;9;a\n"
    )
    verdict = validate_file(tmp_path, content, "a.csv")

    row = verdict.accepted[0]
    assert (row["uid"], row["rank"], row["dwell_ms"]) == ("7", 3, Decimal("1.5"))
    assert row["item_ids"] == ["a", "7"]
    assert verdict.rules == [["invalid_dwell_ms", "invalid_item_ids", "invalid_rank"]]
    assert verdict.warnings == {}


@pytest.mark.parametrize(
    ("name", "content", "rows"),
    [
        ("a.csv", 'id,type\n\\N,"\\N"\nNULL,"NULL"\n,""\nnull,\\n\n', [{"type": "NULL"},
            {"id": "null", "type": "\\n"}]),
        ("a.csv", "id,type\n1,NULLS\n2, NULL\n", [{"id": "1", "type": "NULLS"},
            {"id": "2", "type": " NULL"}]),
        ("a.tsv", 'id\ttype\n\\N\t"\\N"\nNULL\t"NULL"\n1\t""\n', [{"type": "NULL"}, {"id": "1"}]),
    ],
)  # fmt: skip
def test_null_words_are_absent(
    tmp_path: Path, name: str, content: str, rows: list[dict[str, str]]
) -> None:
    assert texts(tmp_path, content, name) == rows


@pytest.mark.parametrize(
    ("content", "rows"),
    [
        ("id;type;b\n1;x\n2\n", [{"id": "1", "type": "x"}, {"id": "2"}]),
        ("id,type\n1,x,,\n2,y, ,\\N\n", [{"id": "1", "type": "x"}, {"id": "2", "type": "y"}]),
        (",id,\n0,1,\n", [{"": "0", "id": "1"}]),
    ],
)
def test_fewer_cells_are_absent_and_blank_ones_too_many_cost_nothing(
    tmp_path: Path, content: str, rows: list[dict[str, str]]
) -> None:
    assert texts(tmp_path, content) == rows


@pytest.mark.parametrize(
    ("bad", "good_places"),
    [
        ("1,2,3\n", [(3, 1)]),
        ('1,"x\n', [(3, 1)]),
        ('1,"x\ny,z\n', [(3, 1), (4, 1)]),
        ('1,"x" \n', [(3, 1)]),
        ('1,"a\nb"c\nd,e\n', [(3, 1), (4, 1), (5, 1)]),
        ('1,"a\nb",c\nd,e\n', [(3, 1), (4, 1), (5, 1)]),
    ],
)
def test_row_that_cannot_be_read_is_its_first_line(
    tmp_path: Path, bad: str, good_places: list[tuple[int, int]]
) -> None:
    chunks, _ = chunks_of(tmp_path, f"id,type\n{bad}7,z\n", "a.csv")

    (chunk,) = chunks
    assert list(zip(chunk.lines, chunk.items, strict=True)) == good_places
    (unreadable,) = chunk.unreadable
    assert (unreadable.line, unreadable.rule) == (2, "malformed_csv")
    assert unreadable.raw.decode() == bad.splitlines(keepends=True)[0]


@pytest.mark.parametrize(
    ("content", "blank_lines"),
    [
        ("id,type\n,\n , \n\n\u2003,\n1,x\n", 4),
        ("\n,,\nid,type\n1,x\n", 2),
        ("id,type\nid,type\n1,x\n id ,type \n", 2),
        ("id,type\n\ufeffid,type\n1,x\n", 1),
        ('id,type\n\ufeff"id","type"\n1,x\n"id","type"\n', 2),
        ('id,type\n"","\n"\n1,x\n', 1),
    ],
)
def test_blank_row_or_repeated_header_is_a_blank_line(
    tmp_path: Path, content: str, blank_lines: int
) -> None:
    (chunk,), _ = chunks_of(tmp_path, content, "a.csv")

    assert chunk.texts == [b'{"id":"1","type":"x"}']
    assert (chunk.blank_lines, chunk.unreadable) == (blank_lines, [])


def test_row_that_begins_with_a_mark_keeps_it(tmp_path: Path) -> None:
    assert texts(tmp_path, "id,type\n\ufeffid,x\n") == [{"id": "\ufeffid", "type": "x"}]


def test_of_a_name_twice_the_last_present_counts(tmp_path: Path) -> None:
    verdict = validate_file(
        tmp_path, "type,uid,uid,original_timestamp\nscroll,u1,,2025-07-14\n", "a.csv"
    )

    assert (verdict.accepted[0]["uid"], verdict.warned) == ("u1", set())


@pytest.mark.parametrize(
    ("content", "rows"),
    [
        ('id, type, b\n1, "x, y", z\n2,  q,r\n', [{"id": "1", "type": "x, y", "b": "z"},
            {"id": "2", "type": " q", "b": "r"}]),
        ('"id", "type, or so"\n1, "a ""b"""\n', [{"id": "1", "type, or so": 'a "b"'}]),
        ("id, type,b\n1, x,y\n", [{"id": "1", "type": " x", "b": "y"}]),
        ("id , type\n1, x\n", [{"id": "1", "type": "x"}]),
    ],
)  # fmt: skip
def test_blank_after_every_delimiter_of_the_header_belongs_to_it(
    tmp_path: Path, content: str, rows: list[dict[str, str]]
) -> None:
    assert texts(tmp_path, content) == rows


@pytest.mark.parametrize("separator", [";", ",", "\t", "|", "^", "~", " ", "§"])
@pytest.mark.parametrize("line", ["sep={}", "SEP={}", '"sep={}"', "\ufeffsep={}"])
def test_first_line_may_name_the_delimiter(tmp_path: Path, separator: str, line: str) -> None:
    rows = f'\r\nid{separator}a,b;c|d\r\n1{separator}"x{separator}y"\r\n'
    verdict_rows, _ = chunks_of(tmp_path, line.format(separator) + rows, "a.csv")

    (chunk,) = verdict_rows
    names = ["a,b;c|d"] if separator not in ",;|" else ["a,b;c|d".split(separator)[0]]
    assert json.loads(chunk.texts[0]) == {"id": "1", names[0]: f"x{separator}y"}
    assert (chunk.lines, chunk.blank_lines) == ([3], 0)


@pytest.mark.parametrize("line", ["sep=", "sep=;;", "sep=x,y", " sep=;"])
def test_what_names_no_delimiter_is_a_header(tmp_path: Path, line: str) -> None:
    assert refused_as(tmp_path, f"{line}\nid;type\n1;x\n".encode(), "a.csv") == "missing_header"


@pytest.mark.parametrize(
    "header",
    ["uid", "TYPE", "Session_ID", "sessionId", "original-timestamp;item_ids", " page_type ",
     '"Client_Id"', "dwellms", "a,b,c,rank", "x|y|originaltimestamp"],
)  # fmt: skip
def test_header_names_a_field_in_any_spelling(tmp_path: Path, header: str) -> None:
    assert refused_as(tmp_path, header.encode(), "a.csv") == ""


@pytest.mark.parametrize(
    ("content", "lines", "name"),
    [
        ("e1,page_view,2025-03-01\ne2,page_view,2025-03-01\n", "2 lines were", "a.csv"),
        ("e1\tpage_view\ne2\tpage_view\ne3\tclick", "3 lines were", "a.tsv.gz"),
        ("# exported\nid,type\n1,x\n\n", "4 lines were", "a.csv"),
        ("a,b\n", "1 line was", "a.csv"),
        ('"type,b\n1,2\n', "2 lines were", "a.csv"),
        ("id,type\n1,x\n", "2 lines were", "a.tsv"),
        ("id\ntype\n", "", "a.csv"),
        ("x" * 400 + ",type\n1,2\n3,4", "3 lines were", "a.csv"),
        ("a\rb\rc", "3 lines were", "a.csv"),
    ],
)
def test_file_without_header_says_how_much_was_not_read(
    tmp_path: Path, content: str, lines: str, name: str
) -> None:
    reader = ExportReader(export(tmp_path, content, name), ReadLimits(max_record_bytes=300))
    with reader:
        if not lines:
            list(reader.chunks())
            return
        with pytest.raises(UnreadableFileError, match=f" {lines} not read") as caught:
            list(reader.chunks())

    assert caught.value.rule == "missing_header"
    assert "page_view" not in str(caught.value)


def test_name_that_is_not_utf8_costs_the_rows_that_fill_it(tmp_path: Path) -> None:
    (chunk,), _ = chunks_of(tmp_path, b"id,\xfc\n1,2\n3,\n", "a.csv")

    assert chunk.texts == [b'{"id":"3"}']
    assert [(one.line, one.rule) for one in chunk.unreadable] == [(2, "bad_encoding")]


@pytest.mark.parametrize("name", ["a.tsv", "A.TSV", "a.tsv.bz2"])
def test_line_of_a_tsv_is_a_record_whatever_its_quotes(tmp_path: Path, name: str) -> None:
    content = (
        'id\t"type"\tnote\r\n1\t"a"\t"say ""hi"""\r\n2\t"Sale, now on\tx\r\n3\tb off"\t"\r\n'
        '4\t""\t""""\r\n5\ta,b;c\t x \r\n6\ta\tb\tc\r\n'
    )
    (chunk,), _ = chunks_of(tmp_path, content, name)

    assert [json.loads(text) for text in chunk.texts] == [
        {"id": "1", "type": "a", "note": 'say "hi"'},
        {"id": "2", "type": '"Sale, now on', "note": "x"},
        {"id": "3", "type": 'b off"', "note": '"'},
        {"id": "4", "note": '"'},
        {"id": "5", "type": "a,b;c", "note": " x "},
    ]
    assert (chunk.lines, chunk.unreadable[0].line) == ([2, 3, 4, 5, 6], 7)


@pytest.mark.parametrize(
    ("name", "content", "file_format"),
    [
        ("a.csv", '{"id": 1}\n', "jsonl"),
        ("a.TSV.xz", '\ufeff\n [{"id": 1}]\n', "jsonl"),
        ("a.csv.gzip", "id\n1\n", "csv"),
        ("a.CSV.ZSTD", "id\n1\n", "csv"),
        ("a.csv.lz4.gz", "id\n1\n", "csv"),
        ("a.csv.jsonl", '{"id": 1}\n', "jsonl"),
        ("csv", '{"id": 1}\n', "jsonl"),
    ],
)
def test_name_decides_unless_the_text_begins_as_json(
    tmp_path: Path, name: str, content: str, file_format: str
) -> None:
    chunks, found = chunks_of(tmp_path, content, name)

    assert (found.replace("json", "jsonl", found == "json"), chunks[0].texts != []) == (
        file_format, True)  # fmt: skip


def test_row_beside_the_limit(tmp_path: Path) -> None:
    row = "1,12345678"
    wide = '1,"123\n567"'
    content = f'id,type\n{row}\n{row}9\n{wide}\n1,"123\n5678"\n7,x\n'
    (chunk,), _ = chunks_of(tmp_path, content, "a.csv", max_record_bytes=len(row))

    assert chunk.lines == [2, 8]
    rules = [(one.line, one.rule, one.raw_bytes) for one in chunk.unreadable]
    assert rules == [(3, "too_large", 12), (4, "too_large", 12), (6, "too_large", 13)]
    assert len(wide) == 11
    (chunk,), _ = chunks_of(tmp_path, content, "a.csv", max_record_bytes=len(wide))
    assert chunk.lines == [2, 3, 4, 8]
    assert [(one.line, one.rule) for one in chunk.unreadable] == [(6, "too_large")]


@pytest.mark.parametrize("block_bytes", [1, 2, 3, 7])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_lines_are_the_same_however_they_are_read(
    monkeypatch: pytest.MonkeyPatch, block_bytes: int, end: str
) -> None:
    monkeypatch.setattr("sequen_dagster.exports.delimited_lines._BLOCK_BYTES", block_bytes)
    rows = ["id,type", "1,x", "", "x" * 30, "2,y", '"a', 'b",z', "x" * 20, "3"]
    stream = io.BytesIO(end.join(rows).encode())
    (chunk,) = read_delimited(stream, "a.csv", max_record_bytes=16)

    assert [json.loads(text) for text in chunk.texts] == [
        {"id": "1", "type": "x"},
        {"id": "2", "type": "y"},
        {"id": f"a{end}b", "type": "z"},
        {"id": "3"},
    ]
    assert (chunk.lines, chunk.blank_lines) == ([2, 5, 6, 9], 1)
    assert [(one.line, one.rule) for one in chunk.unreadable] == [
        (4, "too_large"),
        (8, "too_large"),
    ]


def test_quote_that_is_never_closed_in_the_header_costs_nothing(tmp_path: Path) -> None:
    content = 'id,size",type\n' + "1,2,x;y;z|a|b\n" * 60_000
    chunks, _ = chunks_of(tmp_path, content, "a.csv", max_record_bytes=800_000)

    assert sum(len(chunk.texts) for chunk in chunks) == 60_000
    assert json.loads(chunks[0].texts[0]) == {"id": "1", 'size"': "2", "type": "x;y;z|a|b"}


def test_quote_that_is_never_closed_costs_its_line_in_bounded_memory(tmp_path: Path) -> None:
    content = 'id,type\n1,"x\n' + "2,y\n" * 1000
    (chunk,), _ = chunks_of(tmp_path, content, "a.csv", max_record_bytes=50)

    assert (len(chunk.texts), chunk.lines[:2]) == (1000, [3, 4])
    assert [(one.line, one.rule) for one in chunk.unreadable] == [(2, "malformed_csv")]


def test_rows_that_cannot_be_read_make_chunks_as_well(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sequen_dagster.exports.delimited.CHUNK_BYTES", 100)
    chunks, _ = chunks_of(tmp_path, "id\n" + '"x" y,z\n' * 40, "a.csv")

    assert len(chunks) > 2
    assert sum(len(chunk.unreadable) for chunk in chunks) == 40


CELLS = st.text(st.characters(exclude_categories=["Cs"]), max_size=5) | st.sampled_from(
    ["", '"', "\n", "\r\n", ",", ";", "\t", '""', "NULL", "\\N", " x", "\u2028", "\ufeff"]
)


def present(names: list[str], row: list[str], *, is_null_absent: bool) -> dict[str, str]:
    absent = ("", "\\N", "NULL") if is_null_absent else ("", "\\N")
    pairs = zip(names, row, strict=True)
    return {name: cell for name, cell in pairs if cell not in absent}


@settings(deadline=None, max_examples=200)
@given(
    grid=st.lists(st.lists(CELLS, min_size=3, max_size=3), max_size=6),
    delimiter=st.sampled_from(",;\t|"),
    end=st.sampled_from(["\n", "\r\n", "\r"]),
    is_quoted=st.booleans(),
)
def test_any_grid_that_python_writes_reads_back(
    tmp_path_factory: pytest.TempPathFactory,
    grid: list[list[str]],
    delimiter: str,
    end: str,
    is_quoted: bool,
) -> None:
    names = ["id", "type", "note"]
    out = io.StringIO(newline="")
    quoting = csv.QUOTE_ALL if is_quoted else csv.QUOTE_MINIMAL
    writer = csv.writer(out, delimiter=delimiter, lineterminator=end, quoting=quoting)
    if not is_quoted:
        # Python quotes the characters of its own line end alone; the other ends a line, too.
        other = set("\r\n") - set(end)
        grid = [["".join(c for c in cell if c not in other) for cell in row] for row in grid]
    writer.writerows([names, *grid])
    rows = texts(tmp_path_factory.mktemp("grid"), out.getvalue())

    # The writer quotes NULL only where it quotes everything.
    expected = [present(names, row, is_null_absent=not is_quoted) for row in grid]
    blank = [all(is_blank(cell) for cell in row.values()) for row in expected]
    assert rows == [row for row, is_none in zip(expected, blank, strict=True) if not is_none]


@settings(deadline=None, max_examples=200)
@given(
    grid=st.lists(
        st.lists(
            st.text(
                st.characters(exclude_categories=["Cs"], exclude_characters="\t\r\n"), max_size=5
            )
            | st.sampled_from(["", '"', '"a"', '""', '"NULL"', "NULL", "\\N", ' "x" ']),
            min_size=1,
            max_size=4,
        ),
        max_size=6,
    ),
    end=st.sampled_from(["\n", "\r\n", "\r"]),
)
def test_any_tsv_is_split_at_its_tabs(
    tmp_path_factory: pytest.TempPathFactory, grid: list[list[str]], end: str
) -> None:
    names = ["id", "type", "a", "b"]
    content = end.join("\t".join(row) for row in [names, *grid])
    rows = texts(tmp_path_factory.mktemp("grid"), content, "a.tsv")

    expected = []
    for cells in grid:
        plain = [cell[1:-1].replace('""', '"') if quoted(cell) else cell for cell in cells]
        row = {
            name: value
            for name, cell, value in zip(names, cells, plain, strict=False)
            if value not in ("", "\\N") and cell != "NULL"
        }
        if not all(map(is_blank, row.values())):
            expected.append(row)
    assert rows == expected


def quoted(cell: str) -> bool:
    return len(cell) > 1 and cell[0] == cell[-1] == '"'


LINES = st.lists(
    st.sampled_from(['1,x', '"a', 'b"', '"c","d"', 'e,"f', ',', '', '"', 'x"y,z', '"q"r', '1,2,3']),
    max_size=12,
)  # fmt: skip


@settings(deadline=None, max_examples=200)
@given(lines=LINES, end=st.sampled_from(["\n", "\r\n"]))
def test_every_line_is_in_one_record_or_blank(
    tmp_path_factory: pytest.TempPathFactory, lines: list[str], end: str
) -> None:
    content = "id,type" + end + "".join(line + end for line in lines)
    chunks, _ = chunks_of(tmp_path_factory.mktemp("lines"), content, "a.csv")

    (chunk,) = chunks
    starts = sorted([*chunk.lines, *(one.line for one in chunk.unreadable)])
    assert len(set(starts)) == len(starts)
    assert all(2 <= line <= len(lines) + 1 for line in starts)
    for one in chunk.unreadable:
        assert one.raw.decode() == lines[one.line - 2] + end
    assert len(starts) + chunk.blank_lines <= len(lines)


@settings(deadline=None, max_examples=300)
@given(
    text=st.lists(
        st.sampled_from([",", '"', '""', "\n", "\r\n", "a", " ", "NULL", "\\N", '"NULL"', '"x"']),
        max_size=14,
    ).map("".join),
    delimiter=st.sampled_from(", "),
)
def test_both_ways_to_split_a_row_agree(text: str, delimiter: str) -> None:
    text = f'"{text}'.replace(",", delimiter)
    lines = text.encode().splitlines(keepends=True)
    found = []
    for is_split_by_csv in (True, False):
        source = LineReader(io.BytesIO(text.encode()), 1000)
        splitter = RowSplitter(source, RowForm(delimiter, has_blank=False, is_tsv=False), 1000)
        first = source.next()
        assert isinstance(first, bytes)
        split = splitter.split if is_split_by_csv else splitter._split_by_quotes
        found.append((split(first.decode()), len(splitter.taken)))
    if found[1][0] is None:
        found[1] = (None, 0)

    assert found[0] == found[1]
    assert found[0][1] < len(lines)


def test_header_that_begins_with_a_blank_name_is_known_when_it_comes_again(tmp_path: Path) -> None:
    content = f",{HEAD}0,{ROW},{HEAD}1,{ROW},,,,\n"
    verdict = validate_file(tmp_path, content, "a.csv")

    assert (verdict.places, verdict.blank_lines) == ([(2, 1), (4, 1)], 2)

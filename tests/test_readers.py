"""Reading text exports: formats, lines, limits, lineage."""

import json
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from support.builders import chunks_of, event, good, validate_file

ONE, TWO, THREE = good(1), good(2), good(3)
PRETTY = json.dumps(event("scroll"), indent=2)


@pytest.mark.fault(14)
@pytest.mark.bad_input(17, 20, 21, 22, 25)
@pytest.mark.parametrize(
    ("content", "places"),
    [
        (f"{ONE}\n{TWO}\n", [(1, 1), (2, 1)]),
        (f"\ufeff\n{ONE}\r\n\r\n{TWO}", [(2, 1), (4, 1)]),
        (f"{ONE}\r{TWO}\r", [(1, 1), (2, 1)]),
        (f"[{ONE}, {TWO}]\n{THREE}\n", [(1, 1), (1, 2), (2, 1)]),
        (f'{{"events": [{ONE}]}}\n{TWO}', [(1, 1), (2, 1)]),
        (f"[\n{ONE},\n\n{TWO}]", [(2, 1), (4, 1)]),
        (f"\n[{ONE},\n{TWO}\n]\n", [(2, 1), (3, 1)]),
        (f'{{"events": [\n{ONE}\n]}}', [(2, 1)]),
        (f'{{\n"sent_by": "x",\n"events": [\n{ONE},\n{TWO}]}}', [(4, 1), (5, 1)]),
        (f"\n{PRETTY}\n", [(2, 1)]),
        (f"[{PRETTY},\n{PRETTY}]", [(1, 1), (7, 1)]),
    ],
)
def test_lineage(tmp_path: Path, content: str, places: list[tuple[int, int]]) -> None:
    verdict = validate_file(tmp_path, content)

    assert (verdict.file_format, verdict.places, verdict.rules) == ("json", places, [])


@pytest.mark.fault(14)
@pytest.mark.bad_input(26)
@pytest.mark.parametrize(
    ("content", "places", "bad"),
    [
        (f'{{"type": "cli\n{ONE}\n{TWO}\n', [(2, 1), (3, 1)], [(1, 1, "malformed_json")]),
        (f'{{"a": 1,\n{ONE}\n{TWO}\n', [(2, 1), (3, 1)], [(1, 1, "malformed_json")]),
        (f"{{'a': 1}}\n{{'b': 2}}\n{ONE}\n", [(3, 1)], [
            (1, 1, "malformed_json"), (2, 1, "malformed_json")]),
        (f"{ONE}\nnot json\n[1]\n{TWO}", [(1, 1), (4, 1)], [
            (2, 1, "malformed_json"), (3, 1, "not_an_object")]),
        (f"{ONE}\n{TWO[:-3]}", [(1, 1)], [(2, 1, "truncated_tail")]),
        (f"{ONE}\n{TWO[:-3]}\n", [(1, 1)], [(2, 1, "truncated_tail")]),
        (f"[{ONE},\n{TWO[:-3]}", [(1, 1)], [(2, 1, "truncated_tail")]),
        (f"[{ONE},\n{TWO},\n", [(1, 1), (2, 1)], [(2, 2, "truncated_tail")]),
        (f"[{ONE},{{\"a\":oops}},{TWO}]", [(1, 1), (1, 3)], [(1, 2, "malformed_json")]),
        (f"[\n{ONE}\n{TWO}]", [(2, 1), (3, 1)], []),
        (f'{{"events":[{ONE},{{"a":oops}},{TWO}]}}', [(1, 1), (1, 3)], [
            (1, 2, "malformed_json")]),
        (f'{{"events":[{ONE},\n{TWO[:-1]}', [(1, 1)], [(2, 1, "truncated_tail")]),
        (f"[{ONE}, 7, null]\n", [(1, 1)], [(1, 2, "not_an_object"), (1, 3, "not_an_object")]),
        (f"[{ONE},\n{TWO}] rest", [(1, 1), (2, 1)], [(2, 2, "malformed_json")]),
    ],
)  # fmt: skip
def test_bad_record_does_not_cost_the_others(
    tmp_path: Path, content: str, places: list[tuple[int, int]], bad: list[tuple[int, int, str]]
) -> None:
    verdict = validate_file(tmp_path, content)

    assert (verdict.places, verdict.bad_places) == (places, bad)


@pytest.mark.fault(13)
@pytest.mark.parametrize(
    ("content", "blank_lines"),
    [("\n \n\t\r\n", 3), ("  ", 1), ("[]\n", 1), ('{"events":[]}\n', 1), ("[\n]\n", 1), ("", 0)],
)
def test_empty_line_counts_as_blank(tmp_path: Path, content: str, blank_lines: int) -> None:
    verdict = validate_file(tmp_path, content)

    assert (verdict.records, verdict.blank_lines) == (0, blank_lines)


def test_envelope_that_carries_more_warns(tmp_path: Path) -> None:
    lines = validate_file(tmp_path, f'{{"sent_by": "x", "events": [{ONE}]}}\n')
    document = validate_file(tmp_path, f'{{"sent_by": "x",\n"events": [{ONE}]}}\n')

    assert lines.warnings == document.warnings == {("(none)", "envelope_fields"): 1}


def test_line_beside_the_limit(tmp_path: Path) -> None:
    content = f"{ONE}\n{TWO[:-1]} }}\n{THREE}\n"
    verdict = validate_file(tmp_path, content, max_record_bytes=len(TWO))

    assert verdict.places == [(1, 1), (3, 1)]
    assert verdict.bad_places == [(2, 1, "too_large")]


@pytest.mark.bad_input(23)
@pytest.mark.parametrize("begin", ["", f"{ONE}\n"])
def test_20_mb_line_is_passed_over(tmp_path: Path, begin: str) -> None:
    huge = json.dumps({"a": "x" * 20_000_000})
    verdict = validate_file(tmp_path, f"{begin}{huge}\n{TWO}\n{THREE}\n")

    line = 1 + len(begin.splitlines())
    assert [place for place, _ in verdict.places][-2:] == [line + 1, line + 2]
    assert verdict.bad_places == [(line, 1, "too_large")]
    row = verdict.quarantined[0]
    assert (row["raw_bytes"], len(row["raw"])) == (len(huge), 64 * 1024)


@pytest.mark.parametrize(
    "end", ["", "]}", "\\\\", '\\"'], ids=["none", "brackets", "slash", "quote"]
)
def test_too_large_element_is_passed_over(tmp_path: Path, end: str) -> None:
    huge = f'{{"a": "{"[{" * 4000}{end}", "b": [[1]]}}'
    verdict = validate_file(tmp_path, f"[{ONE},\n{huge},\n{TWO}]", max_record_bytes=4000)

    assert verdict.bad_places == [(2, 1, "too_large")]
    assert verdict.places == [(1, 1), (3, 1)]


def test_huge_array_on_one_line_is_streamed(tmp_path: Path) -> None:
    content = f"[{','.join([ONE] * 100)}]"
    verdict = validate_file(tmp_path, content, max_record_bytes=len(ONE))

    assert (verdict.file_format, len(verdict.accepted)) == ("json", 100)
    assert verdict.places[-1] == (1, 100)


def test_huge_envelope_on_one_line_is_streamed(tmp_path: Path) -> None:
    content = f'{{"events": [{",".join([ONE] * 100)}]}}'

    assert len(validate_file(tmp_path, content, max_record_bytes=len(ONE)).accepted) == 100


@settings(deadline=None, max_examples=50)
@given(
    content=st.lists(
        st.sampled_from([ONE, "", " ", "[]", "7", "{", '"', f"[{ONE},1]", "\\", "]", ",", "\r"])
    ).map("\n".join)
)
def test_any_text_is_read_and_its_counts_reconcile(
    tmp_path_factory: pytest.TempPathFactory, content: str
) -> None:
    folder = tmp_path_factory.mktemp("any")
    verdict = validate_file(folder, content)

    assert len(verdict.accepted) + len(verdict.quarantined) == verdict.records


def test_chunks_are_cut_and_lines_go_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sequen_dagster.exports.records.CHUNK_RECORDS", 3)
    monkeypatch.setattr("sequen_dagster.exports.json_lines._REGION_BYTES", len("{}\n{}\n"))
    chunks, _ = chunks_of(tmp_path, "{}\n" * 7)

    assert [chunk.lines for chunk in chunks] == [[1, 2, 3], [4, 5, 6], [7]]


@pytest.mark.slow
@pytest.mark.fault(40)
def test_memory_does_not_grow_with_the_file(tmp_path: Path) -> None:
    script = f"""
        import gzip, resource, sys
        from pathlib import Path
        from support.builders import RECEIVED_AT
        from sequen_dagster.contract import EventContract, Origin
        from sequen_dagster.exports.files import ExportFile
        from sequen_dagster.exports.limits import ReadLimits
        from sequen_dagster.exports.readers import ExportReader

        path = Path({str(tmp_path / "big.jsonl.gz")!r})
        with gzip.open(path, "wb", 1) as out:
            for number in range(300):
                row = '{{"type":"scroll","uid":"u%d","original_timestamp":1752484522,"p":"%s"}}\\n'
                out.write((row % (number, "x" * 900)).encode() * 1000)
            out.write(b'{{"a": "' + b"x" * 20_000_000 + b'"}}\\n')
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        file = ExportFile("default", "big", str(path), path.stat().st_size, RECEIVED_AT)
        with ExportReader(file, ReadLimits(max_compression_ratio=10_000)) as reader:
            origin = Origin(received_at=RECEIVED_AT)
            splits = EventContract().validate_chunks(reader.chunks(), origin)
            assert sum(len(one.accepted) for one in splits) == 300_000
        print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024)
    """
    command = [sys.executable, "-c", textwrap.dedent(script)]
    folders = [str(Path(__file__).parent), str(Path(__file__).parents[1])]
    env = {"PYTHONPATH": ":".join(folders), "PATH": ""}
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=env)

    assert int(done.stdout) < 500

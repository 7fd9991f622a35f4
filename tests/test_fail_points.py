import ast
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

import sequen_dagster
from sequen_dagster.runtime.fail_points import ERASE_FAIL_POINTS, FAIL_POINTS, fail_point

PACKAGE = Path(sequen_dagster.__file__).parent
PAGE = PACKAGE.parent / "docs" / "crash-safety.md"


def fail_points_in_the_code() -> list[str]:
    nodes = [
        node
        for module in PACKAGE.rglob("*.py")
        for node in ast.walk(ast.parse(module.read_text(encoding="utf-8")))
    ]
    passed = [
        node.args[0].value
        for node in nodes
        if isinstance(node, ast.Call)
        and getattr(node.func, "id", "") == "fail_point"
        and isinstance(node.args[0], ast.Constant)
    ]
    # What `replace_file` passes on either side of the moment in which a file takes its name.
    given = [
        name
        for node in nodes
        if isinstance(node, ast.Tuple) and len(node.elts) == 2
        for name in map(_text_of, node.elts)
        if name in (*FAIL_POINTS, *ERASE_FAIL_POINTS)
    ]
    return passed + given


def _text_of(node: ast.expr) -> str:
    return str(node.value) if isinstance(node, ast.Constant) else ""


@pytest.mark.fault(22)
def test_every_fail_point_is_once_in_the_code() -> None:
    assert Counter(fail_points_in_the_code()) == Counter((*FAIL_POINTS, *ERASE_FAIL_POINTS))


@pytest.mark.fault(22)
def test_the_docs_name_every_fail_point_in_order() -> None:
    rows = [
        line.split("`")[1]
        for line in PAGE.read_text(encoding="utf-8").splitlines()
        if line.startswith("| `")
    ]

    assert rows == list(FAIL_POINTS)


def test_fail_points_do_nothing_unless_they_are_asked_to(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SEQUEN_FAIL_AT", "lake.committed")
    monkeypatch.setenv("SEQUEN_FAIL_PATH", "a.jsonl")

    fail_point("lake.rows_moved", "a.jsonl")
    fail_point("lake.committed", "b.jsonl")


@pytest.mark.parametrize(("name", "number"), [("", signal.SIGKILL), ("SIGSEGV", signal.SIGSEGV)])
def test_fail_point_ends_the_process_by_a_signal(name: str, number: int) -> None:
    code = "from sequen_dagster.runtime.fail_points import fail_point; fail_point('marts.loaded')"
    variables = {"SEQUEN_FAIL_AT": "marts.loaded", "SEQUEN_FAIL_SIGNAL": name}
    environment = {key: value for key, value in variables.items() if value}

    finished = subprocess.run([sys.executable, "-c", code], env=environment, check=False)

    assert finished.returncode == -number

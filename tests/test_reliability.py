"""The page on reliability says what the tests say."""

import pytest

from support.catalog import BAD_INPUTS, FAULTS, PENDING, THREATS
from support.reliability import (
    PAGE,
    MarkError,
    constant_of,
    names_of_tests,
    proofs_of,
    render,
    sources_of_tests,
)

PROOFS = proofs_of(sources_of_tests())


def proofs_in(source: str) -> dict[tuple[str, int], list[str]]:
    return {
        (kind, number): names
        for kind, numbers in proofs_of({"test_a.py": source}).items()
        for number, names in numbers.items()
    }


def test_page_is_up_to_date() -> None:
    written = PAGE.read_text(encoding="utf-8")

    assert written == render(PROOFS), "run `make docs`"


def test_lists_are_whole() -> None:
    assert list(FAULTS) == list(range(1, 45))
    assert list(BAD_INPUTS) == list(range(1, 63))


@pytest.mark.parametrize("number", FAULTS)
def test_fault_is_proven_or_has_a_reason(number: int) -> None:
    is_proven = number in PROOFS["fault"]

    assert is_proven or FAULTS[number].reason or number in PENDING
    assert not (is_proven and number in PENDING), "take it off PENDING"
    assert is_proven <= bool(FAULTS[number].result)


@pytest.mark.parametrize("number", BAD_INPUTS)
def test_bad_input_is_proven(number: int) -> None:
    assert number in PROOFS["bad_input"]


def test_tests_that_threats_name_are_there() -> None:
    named = {test for threat in THREATS for test in threat.tests}

    assert named <= names_of_tests(sources_of_tests())


def test_marks_are_found_wherever_pytest_takes_them() -> None:
    source = """
import pytest
pytestmark = pytest.mark.fault(1)
bad_input = pytest.mark.bad_input
CASES = [pytest.param(1, marks=bad_input(2)), pytest.param(2, marks=[pytest.mark.slow])]
MORE: list = [*CASES, pytest.param(3, marks=[pytest.mark.slow, pytest.mark.bad_input(3, 4)])]

@pytest.mark.fault(2, 3)
def test_function(): ...

@pytest.mark.parametrize("case", MORE, ids=str)
def test_cases(case): ...

@pytest.mark.fault(5)
class TestGroup:
    @pytest.mark.bad_input(6)
    def test_method(self): ...
    def not_a_test(self): ...

TestMachine = pytest.mark.fault(7)(Machine.TestCase)
"""
    tests = ("TestGroup::test_method", "TestMachine", "test_cases", "test_function")
    everywhere = [f"test_a.py::{name}" for name in tests]

    assert proofs_in(source) == {
        ("fault", 1): everywhere,
        ("fault", 2): ["test_a.py::test_function"],
        ("fault", 3): ["test_a.py::test_function"],
        ("fault", 5): ["test_a.py::TestGroup::test_method"],
        ("fault", 7): ["test_a.py::TestMachine"],
        ("bad_input", 2): ["test_a.py::test_cases"],
        ("bad_input", 3): ["test_a.py::test_cases"],
        ("bad_input", 4): ["test_a.py::test_cases"],
        ("bad_input", 6): ["test_a.py::TestGroup::test_method"],
    }


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("@pytest.mark.fault(45)\ndef test_a(): ...", "fault 45, which there is not"),
        ("@pytest.mark.bad_input(0)\ndef test_a(): ...", "bad_input 0, which there is not"),
        ("@pytest.mark.fault(number)\ndef test_a(): ...", "written out"),
        ("@pytest.mark.fault(1)\ndef helper(): ...", "no test carries"),
        ("CASES = [pytest.param(1, marks=pytest.mark.fault(1))]", "no test carries"),
    ],
)
def test_mark_without_a_claim_is_reported(source: str, message: str) -> None:
    with pytest.raises(MarkError, match=message):
        proofs_in(source)


def test_constants_are_read_from_the_source() -> None:
    sources = {"test_a.py": "", "test_b.py": "KILLS = 100\nOTHER: int = 7"}

    assert [constant_of(sources, name) for name in ("KILLS", "OTHER", "NONE")] == [100, 7, 0]

import pytest

from sequen_dagster.runtime.text import printable, quoted, sized


@pytest.mark.bad_input(33)
@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("a.jsonl", "a.jsonl"),
        ("two\nlines\r", r"two\nlines\r"),
        ("\x1b[31mred\x07", r"\x1b[31mred\x07"),
        ("\x9b31m", r"\x9b31m"),
        ("\u202ertl\u2066", r"\u202ertl\u2066"),
        ("\u2028", r"\u2028"),
        ("\U000e0001", r"\U000e0001"),
        ("\u00e9", "\u00e9"),
        ("x" * 200, "x" * 200),
        ("x" * 201, "x" * 199 + "…"),
    ],
)
def test_name_cannot_control_a_terminal(name: str, shown: str) -> None:
    assert printable(name) == shown
    assert quoted(name) == f"'{shown}'"


@pytest.mark.parametrize(
    ("size_bytes", "shown"),
    [
        (0, "0 bytes"),
        (1, "1 byte"),
        (999, "999 bytes"),
        (1_000, "1.0 kB"),
        (999_949, "999.9 kB"),
        (999_950, "1.0 MB"),
        (2_345_678_901, "2.3 GB"),
        (12 * 10**15, "12,000.0 TB"),
    ],
)
def test_size_is_in_the_unit_that_fits(size_bytes: int, shown: str) -> None:
    assert sized(size_bytes) == shown

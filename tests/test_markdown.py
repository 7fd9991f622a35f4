import pytest

from sequen_dagster.reports.markdown import escape_markdown


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("plain name", "plain name"),
        ("<script>", r"\<script\>"),
        ("a|b", r"a\|b"),
        ("[x](javascript:y)", r"\[x\]\(javascript:y\)"),
        ("two\nlines\x1b[31m", r"two lines \[31m"),
        ("`code` *bold* _it_", r"\`code\` \*bold\* \_it\_"),
    ],
)
def test_names_from_events_cannot_become_markup(name: str, shown: str) -> None:
    assert escape_markdown(name) == shown


def test_long_names_are_cut() -> None:
    assert escape_markdown("x" * 81) == "x" * 79 + "…"
    assert escape_markdown("x" * 80) == "x" * 80

from typing import Any

import pytest

from sequen_dagster.reports.markdown import escape_markdown, render_markdown

NUMBERS = {
    "record_counts": "records_read files accepted quarantined skipped blank_lines duplicate_records"
    " conflicting_records",
    "events": "events sources first_at last_at",
    "sessions": "sessions given derived visitors converted over_a_day",
    "attribution": "conversions units touches",
    "orders": "orders conversions repeats repeats_by_another_visitor differing",
}
REMEDY = "`sequen-dagster replay --stale` validates"
LISTS = (
    "tiers attributes fixes readiness near_misses hints volume_drops conflicts quarantined_by_rule"
    " unread_files quarantine_fixes"
    " warnings clicks_by_match_method units_by_basis funnel repeated_value_by_currency"
)


def empty_summary(**sections: Any) -> dict[str, Any]:  # Any: the report's JSON
    numbers = {name: dict.fromkeys(keys.split(), 0) for name, keys in NUMBERS.items()}
    numbers["events"] |= {"first_at": None, "last_at": None}
    lists = {name: [] for name in LISTS.split()}
    return {**numbers, **lists, "changes": None, **sections}


@pytest.mark.parametrize(
    ("stale", "shown"),
    [
        ({"batches": 0, "paths": []}, ""),
        (
            {"batches": 1, "paths": ["<a>.jsonl"]},
            f"1 batch was validated by an older contract: {REMEDY} it again\n(\\<a\\>.jsonl).\n",
        ),
        (
            {"batches": 3, "paths": ["a.jsonl", "b"]},
            f"batches were validated by an older contract: {REMEDY} them again\n(a.jsonl, b, …).\n",
        ),
    ],
)
def test_stale_batches_are_listed(stale: dict[str, Any], shown: str) -> None:
    text = render_markdown(empty_summary(stale=stale))

    assert ("older contract" in text) == bool(shown)
    assert shown in text


@pytest.mark.bad_input(33, 57)
@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("plain name", "plain name"),
        ("<script>", r"\<script\>"),
        ("a|b", r"a\|b"),
        ("[x](javascript:y)", r"\[x\]\(javascript\:y\)"),
        ("two\nlines\x1b[31m", r"two lines \[31m"),
        ("`code` *bold* _it_", r"\`code\` \*bold\* \_it\_"),
        ("https://x.y www.x.y a@x.y", r"https\://x.y www\.x.y a\@x.y"),
        ("&lt;b&gt; $x$", r"\&lt;b\&gt; \$x\$"),
        ("\u202elnosj.\x9b31m\u2028", " lnosj. 31m "),
    ],
)
def test_names_from_events_cannot_become_markup(name: str, shown: str) -> None:
    assert escape_markdown(name) == shown


def test_long_names_are_cut() -> None:
    assert escape_markdown("x" * 81) == "x" * 79 + "…"
    assert escape_markdown("x" * 80) == "x" * 80

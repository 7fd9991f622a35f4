"""What the page says of the uses of the data, and the one thing that each lacks."""

from typing import Any

from sequen_dagster.reports.readiness import group_use_cases


def requirement(use_case: str, number: int, have: int, of: int, **more: Any) -> dict[str, Any]:
    threshold, least = 0.8, 100
    is_met = have >= threshold * of and have >= least
    return {
        "source": "(all)",
        "use_case": use_case,
        "requirement_number": number,
        "metric": "clicks_linked",
        "have_count": have,
        "total_count": of,
        "min_count": least,
        "share": have / of if of else None,
        "threshold": threshold,
        "is_met": is_met,
        "is_ready": is_met,
        "is_first_missing": not is_met,
        "missing": None if is_met else "Send impression_id with each click.",
        "reason": "because",
        **more,
    }


def test_ready_use_lacks_nothing() -> None:
    (one,) = group_use_cases([requirement("dynamic_re_ranking", 1, 900, 1_000)])

    assert (one.title, one.is_ready, one.missing) == ("Dynamic re-ranking", True, "")


def test_use_that_is_not_ready_says_what_to_send() -> None:
    rows = [
        requirement("model_training", 1, 900, 1_000, is_ready=False),
        requirement("model_training", 2, 300, 1_000),
        requirement("model_training", 3, 0, 0, is_first_missing=False),
    ]

    (one,) = group_use_cases(rows)

    assert (one.title, one.is_ready) == ("Model training", False)
    assert one.missing == "Send impression_id with each click."
    assert [row["requirement_number"] for row in one.requirements] == [1, 2, 3]


def test_where_all_are_right_and_too_few_more_are_wanted() -> None:
    (one,) = group_use_cases([requirement("attribution_and_funnels", 1, 60, 61)])

    assert one.title == "Attribution and funnels"
    assert one.missing == "More clicks linked to their impression: 60 of at least 100 so far."


def test_where_nothing_came_it_says_what_to_send() -> None:
    (one,) = group_use_cases([requirement("behavior_based_ranking", 1, 0, 0)])

    assert one.missing == "Send impression_id with each click."


def test_uses_of_all_sources_together_are_shown() -> None:
    rows = [requirement("model_training", 1, 1, 1), requirement("other", 1, 1, 1, source="web")]

    assert [one.title for one in group_use_cases(rows)] == ["Model training"]

"""Warnings: counted by type, never a reason to quarantine."""

from typing import Any

import pytest

from builders import judge_event
from sequen_dagster.contract.rules import WARNINGS
from sequen_dagster.contract.warnings import is_card_number, is_near_standard


@pytest.mark.parametrize(
    ("name", "is_near"),
    [("pageview", True), ("Page_View", True), ("page-views", True), ("impresion", True),
     ("clicks", True), ("page_view", False), ("push_click", False), ("video_pause", False),
     ("scroll", False), ("search", False)],
)  # fmt: skip
def test_misspelt_standard_type(name: str, is_near: bool) -> None:
    assert is_near_standard(name) is is_near


@pytest.mark.parametrize(
    ("fields", "codes"),
    [
        ({}, set()),
        ({"type": "pageview"}, {"near_standard_type"}),
        ({"uid": "jo@example.com"}, {"possible_personal_data"}),
        ({"note": "call 4111 1111 1111 1111 now"}, {"possible_personal_data"}),
        ({"note": "4111111111111112"}, set()),
        ({"geo": {"mail": "a.b@x.example.org"}}, {"possible_personal_data"}),
        ({"item_id": "jo@example.com"}, set()),
        ({"a": [True]}, {"unsupported_field_type"}),
        ({"uid": "null", "sid": "s"}, {"placeholder_id"}),
        ({"uid": 7}, {"coerced"}),
        ({"rank": "3", "uid": 7}, {"coerced"}),
        ({"rank": "x", "uid": "u"}, set()),
        ({"rank": "9999999999"}, set()),
    ],
)
def test_warning_codes(fields: dict[str, Any], codes: set[str]) -> None:
    verdict = judge_event(**fields)

    assert verdict.warned == codes
    assert codes <= set(WARNINGS)
    assert all(count == 1 for count in verdict.warnings.values())


def test_card_numbers_pass_the_check() -> None:
    assert is_card_number("5500-0000-0000-0004")
    assert not is_card_number("5500-0000-0000-0005")

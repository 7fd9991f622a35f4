"""Warnings: counted by type, never a reason to quarantine."""

import json
from typing import Any

import pytest

from sequen_dagster.contract.codes import WARNINGS
from sequen_dagster.contract.warnings import is_card_number, is_near_standard
from support.builders import event, validate_event, validate_texts


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
        ({"rec_id": "null"}, {"placeholder_id"}),
        ({"item_ids": ["a", "nil"]}, {"placeholder_id"}),
        ({"item_ids": '["a"]'}, {"coerced"}),
        ({"server_timestamp": 0}, {"zero_time"}),
        ({"ingest_timestamp": "2025-07-13"}, {"ahead_of_ingest"}),
        ({"uid": 7}, {"coerced"}),
        ({"rank": "3", "uid": 7}, {"coerced"}),
        ({"rank": "x", "uid": "u"}, set()),
        ({"rank": "9999999999"}, set()),
    ],
)
def test_warning_codes(fields: dict[str, Any], codes: set[str]) -> None:
    verdict = validate_event(**fields)

    assert verdict.warned == codes
    assert codes <= set(WARNINGS)
    assert all(count == 1 for count in verdict.warnings.values())


def test_card_numbers_pass_the_check() -> None:
    assert is_card_number("5500-0000-0000-0004")
    assert not is_card_number("5500-0000-0000-0005")


def test_many_types_cost_no_more_than_the_frequent_ones() -> None:
    rare = [json.dumps(event(f"custom{number}")) for number in range(2_000)]
    verdict = validate_texts(*rare, *[json.dumps(event("pageview"))] * 2)

    assert verdict.warnings == {("pageview", "near_standard_type"): 2}
    assert is_near_standard.cache_info().maxsize == 8_000

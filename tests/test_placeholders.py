"""Words that stand for no value: which, in which fields, and in whatever form they come."""

from typing import Any

import msgspec
import pytest

from sequen_dagster.contract.placeholders import DEFAULT, Placeholders
from sequen_dagster.fields import FIELD_NAMES, ID_FIELDS, IDENTITY_FIELDS
from sequen_dagster.settings.absence import ANONYMOUS_WORDS, NONE_WORDS


def test_id_fields_are_those_of_the_design() -> None:
    assert set(ID_FIELDS) == {
        "id", "uid", "sid", "cid", "rec_id", "page_view_id", "module_view_id", "impression_id",
        "item_id",
    }  # fmt: skip


@pytest.mark.parametrize("field", FIELD_NAMES)
def test_each_list_has_its_fields(field: str) -> None:
    assert all(DEFAULT.has(field, word) for word in NONE_WORDS) == (
        field in ID_FIELDS or field == "item_ids"
    )
    assert any(DEFAULT.has(field, word) for word in NONE_WORDS) == (
        field in ID_FIELDS or field == "item_ids"
    )
    assert all(DEFAULT.has(field, word) for word in ANONYMOUS_WORDS) == (field in IDENTITY_FIELDS)
    assert any(DEFAULT.has(field, word) for word in ANONYMOUS_WORDS) == (field in IDENTITY_FIELDS)


def test_whole_values_in_any_case_and_form() -> None:
    words: list[Any] = [
        "NaN", "(Not Set)", "[object Object]", "\\N", "\\n", "N/A", "Guest", "TRUE", "0", 0, -1,
        True, False, msgspec.Raw(b"-0"),
    ]  # fmt: skip
    values: list[Any] = [
        "nonesuch", " null", "null ", "", "00", "-0", "0.0", 1, msgspec.Raw(b"0.0"),
        msgspec.Raw(b"1" * 5000), None, [], ["null"], {},
    ]  # fmt: skip

    assert [value for value in words if not DEFAULT.has("uid", value)] == []
    assert [value for value in values if DEFAULT.has("uid", value)] == []


def test_lists_are_what_the_settings_say() -> None:
    words = Placeholders.of(["Keiner"], ["gast", "7"])

    assert [words.has("item_id", value) for value in ("KEINER", "gast", "null")] == [
        True, False, False]  # fmt: skip
    assert [words.has("uid", value) for value in ("keiner", "Gast", 7, "null")] == [
        True, True, True, False]  # fmt: skip
    assert not Placeholders.of([], []).has("uid", "null")

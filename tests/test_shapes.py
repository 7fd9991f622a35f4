"""Shapes of custom fields."""

import json

import msgspec
import pytest

from sequen_dagster.absence import WHITE_SPACE, is_blank
from sequen_dagster.contract.shapes import ShapeCache

_decode = msgspec.json.Decoder(float_hook=msgspec.Raw).decode


def shape(text: str) -> tuple[list[list[str]], list[str]]:
    warnings: list[str] = []
    return json.loads(ShapeCache().shape(_decode(text), warnings)), warnings


@pytest.mark.parametrize(
    ("value", "kind"),
    [('"x"', "string"), ('"\\u001f"', "string"), ("true", "boolean"), ("false", "falsy_boolean"),
     ("1", "number"), ("0", "falsy_number"), ("0.0", "falsy_number"), ("-0.0e5", "falsy_number"),
     ("1e-400", "number"), ('["a",""]', "array<string>"), ("[1,2.5]", "embedding"),
     ('{"a":null}', "object")],
)  # fmt: skip
def test_kind_of_a_value(value: str, kind: str) -> None:
    assert shape(f'{{"f":{value}}}') == ([["f", kind]], [])


@pytest.mark.parametrize("value", ["null", '""', '" "', '"\\u3000\\t"', "[]", "{}"])
def test_what_carries_nothing_is_not_listed(value: str) -> None:
    assert shape(f'{{"f":{value}}}') == ([], [])


@pytest.mark.parametrize("value", ["[true]", "[null]", '["a",1]', "[[1]]", '[{"a":1}]'])
def test_list_of_no_allowed_type_warns(value: str) -> None:
    assert shape(f'{{"f":{value}}}') == ([["f", "other"]], ["unsupported_field_type"])
    assert shape(f'{{"f":{{"g":{value}}}}}')[1] == []


def test_nested_paths_are_dotted_sorted_and_four_levels_deep() -> None:
    pairs, _ = shape('{"z":1,"a":{"b":{"c":{"d":{"e":1}}}},"a.b":2}')

    assert pairs == [
        ["a", "object"], ["a.b", "number"], ["a.b", "object"], ["a.b.c", "object"],
        ["a.b.c.d", "object"], ["z", "number"],
    ]  # fmt: skip


def test_white_space_is_the_property_of_unicode() -> None:
    blank = [chr(code) for code in range(0x110000) if is_blank(chr(code))]

    assert sorted(WHITE_SPACE) == blank
    assert len(blank) == 25

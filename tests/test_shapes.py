"""Shapes of custom fields."""

import json

import msgspec
import pytest

from sequen_dagster.contract.shapes import ShapeCache
from sequen_dagster.settings.absence import WHITE_SPACE, is_blank

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
def test_absent_values_are_not_listed(value: str) -> None:
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


def test_fields_in_a_searched_object_may_be_nested_as_deeply_as_at_the_top() -> None:
    pairs, _ = shape(
        '{"context":{"a":{"b":{"c":{"d":{"e":1}}}}},"params":{"a":{"b":{"c":{"d":1}}}}}'
    )

    paths = [path for path, _ in pairs]
    assert "context.a.b.c.d" in paths
    assert "context.a.b.c.d.e" not in paths
    assert "params.a.b.c" in paths
    assert "params.a.b.c.d" not in paths


@pytest.mark.parametrize(
    ("value", "kind"),
    [("undefined", "none_string"), ("Undefined", "none_string"), ("N/A", "none_string"),
     ("[Object object]", "none_string"), ("\\n", "none_string"), ("unknown", "none_string"),
     ("[]", "none_string"), ("{ }", "none_string"), ("\t[\n]", "none_string"),
     ("unknown ", "string"), ("unknowns", "string"), ("No one", "string"), ("(not set", "string"),
     ("FALSE", "falsy_string"), ("0", "falsy_string"), ("No", "falsy_string"),
     ("oFF", "falsy_string"), ("0.00", "falsy_string"), ("-0", "falsy_string"),
     ("0" * 40, "falsy_string"), ("-", "string"), ("0.", "string"), ("00.1", "string"),
     (" false", "string"), ("offer", "string"), ("\u212a", "string"), ('"x"', "string")],
)  # fmt: skip
def test_kind_of_a_text(value: str, kind: str) -> None:
    assert shape(json.dumps({"f": value})) == ([["f", kind]], [])


def test_text_of_an_object_has_the_paths_of_the_object() -> None:
    inner = json.dumps({"city": "Bern", "zip": 0, "more": json.dumps({"a": False, "b": None})})

    assert shape(json.dumps({"geo": f" {inner}\n"}))[0] == [
        ["geo", "string"], ["geo.city", "string"], ["geo.more", "string"],
        ["geo.more.a", "falsy_boolean"], ["geo.zip", "falsy_number"],
    ]  # fmt: skip


def nested(depth: int) -> str:
    return '{"a":' * depth + "1" + "}" * depth


@pytest.mark.parametrize(
    "text",
    ['{"a":NaN}', '{"a":1}{', "{a}", '{"a":1', '[{"a":1}]', '"{}"', "{" * 99 + "}" * 99,
     nested(65), nested(5_000)]
)  # fmt: skip
def test_text_that_is_not_an_object_is_a_text(text: str) -> None:
    assert shape(json.dumps({"f": text})) == ([["f", "string"]], [])


def test_text_of_an_object_is_read_up_to_its_depth() -> None:
    assert shape(json.dumps({"f": nested(64)}))[0] == [
        ["f", "string"], ["f.a", "object"], ["f.a.a", "object"], ["f.a.a.a", "object"],
    ]  # fmt: skip
    many = json.dumps([{} for _ in range(100)])
    assert shape(json.dumps({"f": many, "g": f'{{"h":{many}}}'}))[0][-1] == ["g.h", "other"]


def test_words_are_those_of_the_settings() -> None:
    cache = ShapeCache(["Leer"])

    assert json.loads(cache.shape({"a": "LEER", "b": "undefined", "c": "n/a"}, [])) == [
        ["a", "none_string"], ["b", "string"], ["c", "none_string"],
    ]  # fmt: skip


def test_white_space_is_the_property_of_unicode() -> None:
    blank = [chr(code) for code in range(0x110000) if is_blank(chr(code))]

    assert sorted(WHITE_SPACE) == blank
    assert len(blank) == 25

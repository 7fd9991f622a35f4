"""Contract: the shape of a record's custom fields, which paths carry a value and of what kind.

Completeness and the field catalogue need only that, and events have few distinct shapes: reports
group by shape first and never look into millions of JSON texts.
"""

import json
from typing import Any, Final

_MAX_LEVELS: Final = 4
_MAX_CACHED: Final = 50_000
_ZEROS: Final = frozenset("-0.")
_SPACE_STARTS: Final = frozenset(b" \\\xc2\xe1\xe2\xe3")

Pair = tuple[str, str]


class ShapeCache:
    """Writes shapes as JSON texts, each distinct one once."""

    def __init__(self) -> None:
        self._texts: dict[tuple[Pair, ...], str] = {}

    def shape(
        self, custom: list[tuple[str, bytes]], nested: dict[str, Any], warnings: list[str]
    ) -> str:
        """The shape of custom fields as a JSON array of `[path, kind]`, sorted by path.

        Args:
            custom: key and JSON text of each custom field.
            nested: the parsed objects and arrays among them, by key.
            warnings: gets `unsupported_field_type` where a field is of no allowed type.

        Returns:
            JSON text; null, blank, `[]` and `{}` are left out, nested paths are dotted.
        """
        pairs: list[Pair] = []
        for key, value in custom:
            kind = _kind_of_text(value)
            if kind == "nested":
                _add_nested(pairs, key, nested[key], level=1)
                if pairs and pairs[-1] == (key, "other"):
                    warnings.append("unsupported_field_type")
            elif kind is not None:
                pairs.append((key, kind))
        signature = tuple(pairs)
        text = self._texts.get(signature)
        if text is None:
            if len(self._texts) > _MAX_CACHED:
                self._texts.clear()
            distinct = sorted(dict.fromkeys(pairs))
            text = json.dumps(distinct, ensure_ascii=False, separators=(",", ":"))
            self._texts[signature] = text
        return text


def _kind_of_text(value: bytes) -> str | None:
    match value[0]:
        case 0x22:  # "
            return None if len(value) == 2 or _is_blank_string(value) else "string"
        case 0x7B | 0x5B:  # { [
            return "nested"
        case 0x74:  # t
            return "boolean"
        case 0x66:  # f
            return "falsy_boolean"
        case 0x6E:  # n
            return None
        case _:
            return "falsy_number" if is_zero(value.decode()) else "number"


def _is_blank_string(value: bytes) -> bool:
    # Only a few bytes can begin white space; all other texts are decided by their first byte.
    return value[1] in _SPACE_STARTS and is_blank(json.loads(value))


def is_blank(text: str) -> bool:
    """Whether a text is empty or Unicode white space only (see `parse.WHITE_SPACE`)."""
    return not text.strip(WHITE_SPACE)


# The White_Space property of Unicode. str.isspace also counts U+001C to U+001F, which are not in it.
WHITE_SPACE: Final = (
    "\t\n\x0b\x0c\r \x85\xa0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009"
    "\u200a\u2028\u2029\u202f\u205f\u3000"
)


def is_zero(number: str) -> bool:
    """Whether the text of a JSON number is zero.

    Example:
        >>> is_zero("-0.00"), is_zero("0e5"), is_zero("0.01")
        (True, True, False)
    """
    mantissa = number.lower().partition("e")[0]
    return set(mantissa) <= _ZEROS


def _add_nested(pairs: list[Pair], path: str, value: Any, *, level: int) -> None:
    # Any: parsed JSON of a custom field.
    if isinstance(value, dict):
        if not value:
            return
        pairs.append((path, "object"))
        if level < _MAX_LEVELS:
            for key, inner in value.items():
                _add_nested(pairs, f"{path}.{key}", inner, level=level + 1)
    elif isinstance(value, list):
        if value:
            pairs.append((path, _kind_of_list(value)))
    elif isinstance(value, str):
        if not is_blank(value):
            pairs.append((path, "string"))
    elif isinstance(value, bool):
        pairs.append((path, "boolean" if value else "falsy_boolean"))
    elif value is not None:
        pairs.append((path, "number" if value else "falsy_number"))


def _kind_of_list(values: list[Any]) -> str:
    if all(isinstance(value, str) for value in values):
        return "array<string>"
    if all(isinstance(value, int | float) and not isinstance(value, bool) for value in values):
        return "embedding"
    return "other"

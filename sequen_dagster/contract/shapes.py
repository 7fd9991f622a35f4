"""Contract: the shape of a record's custom fields, which paths carry a value and of what kind.

Completeness and the field catalogue need only that, and events have few distinct shapes: reports
group by shape first and never look into millions of JSON texts.
"""

import json
from typing import Any, Final

import msgspec

from sequen_dagster.absence import is_blank

_MAX_LEVELS: Final = 4
_MAX_CACHED: Final = 50_000
_ZEROS: Final = frozenset("-0.")


class ShapeCache:
    """Writes shapes as JSON texts, each distinct one once."""

    def __init__(self) -> None:
        self._texts: dict[tuple[str, ...], str] = {}

    def shape(self, custom: dict[str, Any], warnings: list[str]) -> str:
        """The shape of custom fields as a JSON array of `[path, kind]`, sorted by path.

        Args:
            custom: the custom fields, numbers as int or `msgspec.Raw`.
            warnings: gets `unsupported_field_type` where a field is of no allowed type.

        Returns:
            JSON text; null, blank, `[]` and `{}` are left out, nested paths are dotted.

        Example:
            >>> ShapeCache().shape({"price": msgspec.Raw("1.5"), "geo": {"city": "Bern"}}, [])
            '[["geo","object"],["geo.city","string"],["price","number"]]'
        """
        # Any: parsed JSON.
        found: list[str] = []
        _add(found, "", custom, level=1)
        signature = tuple(found)
        text = self._texts.get(signature)
        if text is None:
            if len(self._texts) > _MAX_CACHED:
                self._texts.clear()
            pairs = sorted(set(zip(found[::2], found[1::2], strict=True)))
            text = json.dumps(pairs, ensure_ascii=False, separators=(",", ":"))
            self._texts[signature] = text
        if "other" in found and any(_is_unsupported(value) for value in custom.values()):
            warnings.append("unsupported_field_type")
        return text


def is_zero(number: str) -> bool:
    """Whether the text of a JSON number is zero.

    Example:
        >>> is_zero("-0.00"), is_zero("0e5"), is_zero("0.01")
        (True, True, False)
    """
    mantissa = number.lower().partition("e")[0]
    return set(mantissa) <= _ZEROS


def _add(found: list[str], prefix: str, fields: dict[str, Any], *, level: int) -> None:
    """Append path and kind of every field that carries a value."""
    # Any: parsed JSON of custom fields.
    for key, value in fields.items():
        kind = type(value)
        if kind is str:
            # Most texts are decided by their first character.
            if value and ("!" <= value[0] <= "~" or not is_blank(value)):
                found += (prefix + key, "string")
        elif kind is bool:
            found += (prefix + key, "boolean" if value else "falsy_boolean")
        elif kind is int:
            found += (prefix + key, "number" if value else "falsy_number")
        elif kind is msgspec.Raw:
            is_falsy = is_zero(str(value, "ascii"))
            found += (prefix + key, "falsy_number" if is_falsy else "number")
        elif value:
            found += (prefix + key, "object" if kind is dict else _kind_of_list(value))
            if kind is dict and level < _MAX_LEVELS:
                _add(found, f"{prefix}{key}.", value, level=level + 1)


def _kind_of_list(values: list[Any]) -> str:
    kinds = set(map(type, values))
    if kinds == {str}:
        return "array<string>"
    return "embedding" if kinds <= {int, msgspec.Raw} else "other"


def _is_unsupported(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and _kind_of_list(value) == "other"

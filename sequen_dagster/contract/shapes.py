"""Contract: the shape of a record's custom fields: the paths that hold a value, and its kind.

Completeness and the field catalog need only that. Events have few distinct shapes, so reports
group by shape first and never parse millions of JSON texts. The kind of a text is decided here:
whether it is a word for none, says no, or is the JSON text of an object.
"""

import json
import re
from collections.abc import Iterable
from typing import Any, Final

import msgspec

from sequen_dagster.settings.absence import NONE_WORDS, WHITE_SPACE, is_blank

# Objects in which paths are searched in addition to the top of the custom fields.
SEARCHED_OBJECTS: Final = ("properties", "context", "traits")

_MAX_LEVELS: Final = 4
# JSON text that is nested deeper is a text: where Python gives up depends on the caller.
_MAX_TEXT_DEPTH: Final = 64
_MAX_CACHED: Final = 50_000
_ZEROS: Final = frozenset("-0.")
_ZERO_TEXT: Final = re.compile(r"-?0+(\.0+)?")
# In custom fields these mean none as well.
_MORE_NONE_WORDS: Final = ("n/a", "unknown")
_NOT_ZERO: Final = frozenset("123456789")
_NO_WORDS: Final = frozenset({"false", "0", "no", "off"})
_PRINTABLE: Final = frozenset(map(chr, range(0x21, 0x7F)))

_decode = msgspec.json.Decoder(float_hook=msgspec.Raw).decode


class ShapeCache:
    """Writes shapes as JSON texts, each distinct one once.

    Args:
        none_words: whole values that mean none, in any case, beside `n/a` and `unknown`.

    Attributes:
        plain_firsts: characters of which a text that begins with one is a plain `string`.
    """

    def __init__(self, none_words: Iterable[str] = NONE_WORDS) -> None:
        self._texts: dict[tuple[str, ...], str] = {}
        self._none_words = {word.lower() for word in (*none_words, *_MORE_NONE_WORDS)}
        self._longest = max(map(len, (*self._none_words, *_NO_WORDS)))
        # Most texts are decided by their first character: no special one begins with it.
        firsts = {word[0] for word in (*self._none_words, *_NO_WORDS) if word} | set("-{[")
        self.plain_firsts = _PRINTABLE - firsts - {first.upper() for first in firsts}

    def shape(self, custom: dict[str, Any], warnings: list[str]) -> str:
        """The shape of custom fields as a JSON array of `[path, kind]`, sorted by path.

        Args:
            custom: the custom fields, numbers as int or `msgspec.Raw`.
            warnings: gets `unsupported_field_type` where a field is of no allowed type.

        Returns:
            JSON text; null, blank, `[]` and `{}` are left out, nested paths are dotted, and the
            JSON text of an object is listed with the paths of the object.

        Example:
            >>> ShapeCache().shape({"price": msgspec.Raw("1.5"), "geo": {"city": "Bern"}}, [])
            '[["geo","object"],["geo.city","string"],["price","number"]]'
            >>> ShapeCache().shape({"geo": '{"city": "unknown"}', "is_new": "No"}, [])
            '[["geo","string"],["geo.city","none_string"],["is_new","falsy_string"]]'
        """
        # Any: parsed JSON.
        found: list[str] = []
        self._add_fields(found, "", custom, level=1)
        if "other" in found and any(_is_unsupported(value) for value in custom.values()):
            warnings.append("unsupported_field_type")
        return self.text_of(found)

    def text_of(self, found: list[str]) -> str:
        """The shape of which these are the paths and kinds, in turn, in any order."""
        signature = tuple(found)
        text = self._texts.get(signature)
        if text is None:
            if len(self._texts) > _MAX_CACHED:
                self._texts.clear()
            pairs = sorted(set(zip(found[::2], found[1::2], strict=True)))
            text = json.dumps(pairs, ensure_ascii=False, separators=(",", ":"))
            self._texts[signature] = text
        return text

    def kind_of_text(self, text: str) -> str:
        """The kind of a text; empty where it is absent.

        Example:
            >>> ShapeCache().kind_of_text("no"), ShapeCache().kind_of_text("none")
            ('falsy_string', 'none_string')
        """
        found: list[str] = []
        self._add_text(found, "", text, level=_MAX_LEVELS)
        return found[1] if found else ""

    def _add_fields(
        self, found: list[str], prefix: str, fields: dict[str, Any], *, level: int
    ) -> None:
        """Append path and kind of every field that has a value."""
        # Any: parsed JSON of custom fields.
        plain_firsts = self.plain_firsts
        for key, value in fields.items():
            kind = type(value)
            if kind is str:
                if value:
                    if value[0] in plain_firsts:
                        found += (prefix + key, "string")
                    else:
                        self._add_text(found, prefix + key, value, level=level)
            elif kind is bool:
                found += (prefix + key, "boolean" if value else "falsy_boolean")
            elif kind is int:
                found += (prefix + key, "number" if value else "falsy_number")
            elif kind is msgspec.Raw:
                is_falsy = is_zero(str(value, "ascii"))
                found += (prefix + key, "falsy_number" if is_falsy else "number")
            elif value:
                found += (prefix + key, "object" if kind is dict else _kind_of_list(value))
                if kind is dict:
                    self._add_nested(found, prefix + key, value, level=level)

    def _add_text(self, found: list[str], path: str, text: str, *, level: int) -> None:
        """Append path and kind of a text that may be JSON, or a word for none."""
        if len(text) <= self._longest:
            if is_blank(text):
                return
            folded = text.lower()
            if folded in self._none_words:
                found += (path, "none_string")
                return
            if folded in _NO_WORDS or _ZERO_TEXT.fullmatch(text):
                found += (path, "falsy_string")
                return
        container = _container_of(text)
        if container is not None:
            found += (path, "string" if container else "none_string")
            if container and type(container) is dict:
                self._add_nested(found, path, container, level=level)
        elif _ZERO_TEXT.fullmatch(text):
            found += (path, "falsy_string")
        elif not is_blank(text):
            found += (path, "string")

    def _add_nested(
        self, found: list[str], path: str, fields: dict[str, Any], *, level: int
    ) -> None:
        if level := inner_level(path, level):
            self._add_fields(found, f"{path}.", fields, level=level)


def inner_level(path: str, level: int) -> int:
    """The level of the fields of an object, by the object's; 0 where they are not listed.

    Example:
        >>> inner_level("geo", 1), inner_level("context", 1), inner_level("geo.a.b.c", 4)
        (2, 1, 0)
    """
    # Fields of `SEARCHED_OBJECTS` may be nested as deeply as those at the top.
    if path in SEARCHED_OBJECTS:
        return level
    return level + 1 if level < _MAX_LEVELS else 0


def is_zero(number: str) -> bool:
    """Whether the text of a JSON number is zero.

    Example:
        >>> is_zero("-0.00"), is_zero("0e5"), is_zero("0.01")
        (True, True, False)
    """
    if number[0] in _NOT_ZERO:
        return False
    mantissa = number.lower().partition("e")[0]
    return set(mantissa) <= _ZEROS


def _container_of(text: str) -> dict[str, Any] | list[Any] | None:
    """Parse the JSON text of an object or array; None for other texts."""
    # Any: parsed JSON.
    start, end = text[:1], text[-1:]
    if start in WHITE_SPACE or end in WHITE_SPACE:
        stripped = text.strip(WHITE_SPACE)
        start, end = stripped[:1], stripped[-1:]
    if start + end not in ("{}", "[]"):
        return None
    try:
        value = _decode(text)
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        return None
    is_read = isinstance(value, dict | list) and not (
        text.count("{") + text.count("[") > _MAX_TEXT_DEPTH and _is_deeper(value, _MAX_TEXT_DEPTH)
    )
    return value if is_read else None


def _is_deeper(value: Any, depth: int) -> bool:
    # Any: parsed JSON.
    level = [value]
    for _ in range(depth):
        level = [
            inner
            for outer in level
            for inner in (outer.values() if isinstance(outer, dict) else outer)
            if isinstance(inner, dict | list)
        ]
        if not level:
            return False
    return True


def _kind_of_list(values: list[Any]) -> str:
    kinds = set(map(type, values))
    if kinds == {str}:
        return "array<string>"
    return "embedding" if kinds <= {int, msgspec.Raw} else "other"


def _is_unsupported(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and _kind_of_list(value) == "other"

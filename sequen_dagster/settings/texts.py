"""Settings: lists, mappings and field paths, which a variable or `--set` gives as one text."""

import json
from typing import Annotated, Any, Final

import pydantic
from pydantic_settings import NoDecode

FIELD_PATTERN: Final = r"^[A-Za-z_][A-Za-z0-9_]{0,62}(\.[A-Za-z_][A-Za-z0-9_]{0,62}){0,3}$"


def none_from_text(given: Any) -> Any:
    """What a variable or `--set` gives for "none", where a setting may be none.

    Example:
        >>> none_from_text("null"), none_from_text(""), none_from_text("order_id")
        (None, None, 'order_id')
    """
    # Any: whatever a user may have written; pydantic refuses what does not fit.
    is_none = isinstance(given, str) and given.strip().lower() in ("", "null", "none")
    return None if is_none else given


def values_from_text(given: Any) -> Any:
    """What a variable or `--set` gives for many values: JSON, or names separated by commas.

    Example:
        >>> values_from_text("a, b"), values_from_text('["a"]'), values_from_text(("a",))
        (['a', 'b'], ['a'], ('a',))
    """
    # Any: whatever a user may have written; pydantic refuses what does not fit.
    if not isinstance(given, str):
        return given
    if given.lstrip()[:1] in ("{", "["):
        try:
            return json.loads(given)
        except ValueError as error:
            message = f"is not JSON: {error}"
            raise ValueError(message) from error
    return [name.strip() for name in given.split(",") if name.strip()]


# NoDecode: pydantic-settings would take the text of a variable for JSON, and fail on names.
FROM_TEXT: Final = (NoDecode, pydantic.BeforeValidator(values_from_text))
Texts = Annotated[tuple[str, ...], *FROM_TEXT]
FieldPath = Annotated[str, pydantic.Field(pattern=FIELD_PATTERN)]
OptionalFieldPath = Annotated[FieldPath | None, pydantic.BeforeValidator(none_from_text)]
Breakdowns = Annotated[tuple[FieldPath, ...], *FROM_TEXT, pydantic.Field(max_length=2)]

"""Settings: lists, mappings and field paths, which a variable or `--set` gives as one text."""

import json
import re
from typing import Annotated, Any, Final

import pydantic
from pydantic_settings import NoDecode

FIELD_PATTERN: Final = r"^[A-Za-z_][A-Za-z0-9_]{0,62}(\.[A-Za-z_][A-Za-z0-9_]{0,62}){0,3}$"


# What Dagster takes for an owner, and no more.
OWNER_PATTERN: Final = (
    r"team:[A-Za-z0-9_.-]+|[A-Za-z0-9._%+-]+@[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)*\.[A-Za-z]{2,7}"
)


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


def _check_owner(text: str) -> str:
    if not re.fullmatch(OWNER_PATTERN, text):
        message = "must be an e-mail address, or `team:` and a name, such as team:data-engineering"
        raise ValueError(message)
    return text


Owner = Annotated[str, pydantic.AfterValidator(_check_owner)]
# NoDecode: pydantic-settings would take the text of a variable for JSON, and fail on names.
FROM_TEXT: Final = (NoDecode, pydantic.BeforeValidator(values_from_text))
Texts = Annotated[tuple[str, ...], *FROM_TEXT]
Owners = Annotated[tuple[Owner, ...], *FROM_TEXT, pydantic.Field(min_length=1)]
FieldPath = Annotated[str, pydantic.Field(pattern=FIELD_PATTERN)]
OptionalFieldPath = Annotated[FieldPath | None, pydantic.BeforeValidator(none_from_text)]
Breakdowns = Annotated[tuple[FieldPath, ...], *FROM_TEXT, pydantic.Field(max_length=2)]

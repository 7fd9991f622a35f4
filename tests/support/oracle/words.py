"""Section 3: names of fields, and the words that mean that there is no value."""

from typing import Any

TIME_FIELDS = ("original_timestamp", "server_timestamp", "ingest_timestamp")
# In the order of section 3.
FIELDS = (
    "id", "type", "original_timestamp", "server_timestamp", "ingest_timestamp", "uid", "sid",
    "cid", "rec_id", "page_view_id", "module_view_id", "impression_id", "rank", "item_id",
    "item_ids", "item_id_relation", "page_type", "click_type", "conversion_type", "dwell_ms",
)  # fmt: skip
ALIASES = {"session_id": "sid", "client_id": "cid"}
IDENTITY = ("uid", "sid", "cid")
# What an envelope gives to its events, in the order of section 3.
INHERITED = (*TIME_FIELDS, *IDENTITY)
ID_FIELDS = (
    "id", "uid", "sid", "cid", "rec_id", "page_view_id", "module_view_id", "impression_id",
    "item_id",
)  # fmt: skip
NONE_WORDS = (
    "null", "undefined", "none", "nan", "nil", "(not set)", "[object object]", "\\n",
)  # fmt: skip
ANONYMOUS_WORDS = (
    "0", "-1", "n/a", "unknown", "anonymous", "guest", "true", "false",
    "00000000-0000-0000-0000-000000000000", "00000000000000000000000000000000",
)  # fmt: skip
# The 25 code points with the Unicode property White_Space; str.isspace() has four more.
WHITE_SPACE = frozenset(
    "\t\n\v\f\r \x85\xa0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a"
    "\u2028\u2029\u202f\u205f\u3000"
)


def is_blank(value: Any) -> bool:  # any JSON value
    """Return whether a value counts as absent in every field."""
    if isinstance(value, str):
        return all(character in WHITE_SPACE for character in value)
    return value is None or value == []


def is_placeholder(name: str, value: Any) -> bool:  # any JSON value
    """Return whether a value is a word that means no value in this field."""
    if name not in ID_FIELDS:
        return False
    words = NONE_WORDS + (ANONYMOUS_WORDS if name in IDENTITY else ())
    if isinstance(value, bool):
        text = "true" if value else "false"
    elif isinstance(value, str):
        text = value
    else:
        # A JSON number: an integer's exact decimal text.
        text = getattr(value, "text", "")
        text = "0" if text == "-0" else text
    return text.lower() in words


def is_absent_in(name: str, value: Any) -> bool:  # any JSON value
    """Return whether a value counts as absent in this field."""
    return is_blank(value) or is_placeholder(name, value)

"""What counts as absent, whatever the field: blank text, and words that mean none.

The word lists are the defaults of the settings `placeholder_ids` and `placeholder_identities`. A
word counts only as a whole value; words are compared in lower case.
"""

from collections.abc import Iterable
from typing import Final

# The White_Space property of Unicode. str.isspace also counts U+001C to U+001F, which are not in
# it.
WHITE_SPACE: Final = (
    "\t\n\x0b\x0c\r \x85\xa0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009"
    "\u200a\u2028\u2029\u202f\u205f\u3000"
)

# Whole values that mean none in every id field, and in custom fields as well.
NONE_WORDS: Final = (
    "null",
    "undefined",
    "none",
    "nan",
    "nil",
    "(not set)",
    "[object object]",
    "\\n",
)
# Whole values of uid, sid and cid that name no person; numbers and booleans are compared as text.
ANONYMOUS_WORDS: Final = (
    "0",
    "-1",
    "n/a",
    "unknown",
    "anonymous",
    "guest",
    "true",
    "false",
    "00000000-0000-0000-0000-000000000000",
    "00000000000000000000000000000000",
)


def is_blank(text: str) -> bool:
    """Whether a text is empty or Unicode white space only.

    Example:
        >>> is_blank(" "), is_blank("a")
        (True, False)
    """
    return not text.strip(WHITE_SPACE)


def lower_placeholders(
    ids: Iterable[str], identities: Iterable[str]
) -> tuple[frozenset[str], frozenset[str]]:
    """The words that mean none in ids, and those in identities, as they are compared.

    Example:
        >>> lower_placeholders(["None"], ["GUEST"])[1] == {"none", "guest"}
        True
    """
    everywhere = frozenset(word.lower() for word in ids)
    return everywhere, everywhere | {word.lower() for word in identities}

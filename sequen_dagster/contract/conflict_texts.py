"""Contract: when conflicting ids are too many, and how they are described."""

from typing import Final

from sequen_dagster.runtime.text import counted, printable

# In percent of a source's accepted records; the check `ids_are_unique` warns beyond it.
MAX_CONFLICTING_PERCENT: Final = 1
_SHOWN_TYPES: Final = 6


def describe_conflicts(share: float, records: int, ids: int, types: list[str]) -> str:
    """Describe ids that stand for different events, in one sentence.

    Example:
        >>> describe_conflicts(0.5, 8, 4, ["click"]).partition(" lost ")[2]
        'to another event with the same id (8 records, 4 ids; click)'
    """
    shown = ", ".join(map(printable, types[:_SHOWN_TYPES]))
    more = ", …" if len(types) > _SHOWN_TYPES else ""
    return (
        f"{100 * share:.1f} % of the accepted records lost to another event with the same id "
        f"({counted(records, 'record')}, {counted(ids, 'id')}; {shown}{more})"
    )


def is_too_many(conflicting: int, accepted: int) -> bool:
    """Whether so many of a source's accepted records conflict that `ids_are_unique` warns.

    Example:
        >>> is_too_many(1, 100), is_too_many(2, 199)
        (False, True)
    """
    return 100 * conflicting > MAX_CONFLICTING_PERCENT * accepted

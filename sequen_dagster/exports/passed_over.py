"""Exports: files that listing a location passed over, and the sentences that say so.

In: paths with the reason for which they are not read. Out: counts by reason and pattern.
"""

from dataclasses import dataclass, field
from typing import Final, Literal

from sequen_dagster.runtime.text import counted, quoted

Reason = Literal[
    "excluded",
    "not_included",
    "link",
    "repeated",
    "broken_link",
    "no_file",
    "folder_key",
    "unreadable",
]

_IN_ORDER: Final[tuple[Reason, ...]] = (
    "unreadable", "link", "broken_link", "repeated", "no_file", "folder_key", "not_included",
    "excluded",
)  # fmt: skip


@dataclass(frozen=True)
class PassedOver:
    """Files that are not read for one reason.

    Attributes:
        reason: a pattern of `exclude`; nothing of `include`; a link that is not followed, is read
            under another path, or leads nowhere; not a regular file; a key that ends in a slash;
            may not be read.
        pattern: the pattern of `exclude`; empty for the other reasons.
        files: how many; below excluded folders only the first ten thousand entries are counted.
        first: the first of their paths.
        is_at_least: whether there may be more.
    """

    reason: Reason
    pattern: str
    files: int
    first: str
    is_at_least: bool = False

    @property
    def label(self) -> str:
        """Name of the reason in a table: the pattern, or the reason itself."""
        return self.pattern or self.reason

    def __str__(self) -> str:
        number = f"{'at least ' if self.is_at_least else ''}{self.files:,}"
        ending = "" if self.files == 1 else "s"
        first = quoted(self.first)
        match self.reason:
            case "excluded":
                return f"{number} by {self.pattern} ({first})"
            case "not_included":
                return f"{number} that `include` does not match ({first})"
            case "link":
                return f"{number} symbolic link{ending} ({first}; `follow_links` reads them)"
            case "repeated":
                return f"{number} read under another path ({first})"
            case "broken_link":
                return f"{number} symbolic link{ending} to nothing ({first})"
            case "no_file":
                return f"{number} pipe{ending}, socket{ending} or device{ending} ({first})"
            case "folder_key":
                return f"{number} whose key ends in a slash ({first})"
            case "unreadable":
                return f"{number} that may not be read ({first}; give this user the right to)"


@dataclass
class PassedOverCounts:
    """Counts the files that are passed over while a location is listed."""

    _found: dict[tuple[Reason, str], PassedOver] = field(default_factory=dict)

    def add(
        self,
        reason: Reason,
        path: str,
        *,
        pattern: str = "",
        files: int = 1,
        is_at_least: bool = False,
    ) -> None:
        """Count files that are passed over; `path` is one of them, or their folder."""
        one = self._found.get((reason, pattern))
        self._found[reason, pattern] = PassedOver(
            reason,
            pattern,
            files + (one.files if one else 0),
            min(path, one.first) if one else path,
            is_at_least or (one is not None and one.is_at_least),
        )

    def in_order(self) -> tuple[PassedOver, ...]:
        """The counts; first those of files that a user may want to have read."""
        return tuple(
            sorted(self._found.values(), key=lambda one: (_IN_ORDER.index(one.reason), one.pattern))
        )


def passed_over_text(passed_over: tuple[PassedOver, ...]) -> str:
    """Write a sentence that counts the files passed over; empty where there are none."""
    if not passed_over:
        return ""
    files = counted(sum(one.files for one in passed_over), "file")
    more = " at least" if any(one.is_at_least for one in passed_over) else ""
    return f"Passed over{more} {files}: {', '.join(map(str, passed_over))}."

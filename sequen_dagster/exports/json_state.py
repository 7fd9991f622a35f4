"""Exports: the state of the reader of JSON text: records so far, and open envelopes."""

from dataclasses import dataclass, field, replace

from sequen_dagster.exports.envelopes import Members
from sequen_dagster.exports.records import Giver, RecordChunk, Unreadable


@dataclass(frozen=True)
class Limits:
    """How long a record may be, and how deep arrays may be nested."""

    record_bytes: int
    depth: int


@dataclass(frozen=True)
class Enclosure:
    """What encloses a text that stands in a JSON string; nothing, for the text of a file.

    Attributes:
        line: where all of its records start; 0 for the text of a file.
        depth: how many arrays are around it.
        givers: the envelopes around it, the nearest first.
    """

    line: int = 0
    depth: int = 0
    givers: tuple[Giver, ...] = ()


class Sink:
    """Takes records, and numbers those that start on one line."""

    def __init__(self) -> None:
        self.chunk = RecordChunk()
        self._line = 0
        self._item = 0

    def item(self, line: int, count: int = 1) -> int:
        """Number the next record of a line; with a count, pass over so many lines."""
        self._item = self._item + 1 if line == self._line else 1
        self._line = line + count - 1
        return self._item if count == 1 else 1

    def add(self, text: bytes, line: int, givers: tuple[Giver, ...]) -> None:
        """Append a record."""
        if givers:
            self.chunk.givers[len(self.chunk.texts)] = givers
        self.chunk.add(text, line, self.item(line))

    def add_lines(self, texts: list[bytes], line: int) -> None:
        """Append records that stand on consecutive lines."""
        self.chunk.add_lines(texts, line)
        self._line, self._item = line + len(texts) - 1, 1

    def add_bad(self, rule: str, raw: bytes, line: int) -> None:
        """Append a record that cannot be read."""
        self.add_unreadable(Unreadable.of(rule, raw, line=line))

    def add_unreadable(self, record: Unreadable) -> None:
        """Append a record that cannot be read and is not held as a whole."""
        self.chunk.add_unreadable(replace(record, item=self.item(record.line)))

    def state(self) -> tuple[int, ...]:
        """The counts from which `restore` undoes everything that is added later."""
        chunk = self.chunk
        return (
            len(chunk.texts),
            len(chunk.unreadable),
            chunk.blank_lines,
            chunk.envelopes_with_fields,
            chunk.envelopes_with_repeats,
            chunk.size_bytes,
            len(chunk.unproven),
            self._line,
            self._item,
        )

    def restore(self, state: tuple[int, ...]) -> None:
        """Remove everything that was added since `state`."""
        chunk = self.chunk
        texts, unreadable, *counts, self._line, self._item = state
        (
            chunk.blank_lines,
            chunk.envelopes_with_fields,
            chunk.envelopes_with_repeats,
            chunk.size_bytes,
            unproven,
        ) = counts
        del chunk.texts[texts:], chunk.lines[texts:], chunk.items[texts:]
        del chunk.unreadable[unreadable:], chunk.unproven[unproven:]
        chunk.givers = {at: givers for at, givers in chunk.givers.items() if at < texts}

    def is_full(self, *, but_last: bool) -> bool:
        """Whether there are records enough for a chunk (see `take`)."""
        chunk = self.chunk
        return chunk.is_full and len(chunk.texts) + len(chunk.unreadable) > but_last

    def take(self, *, but_last: bool = False) -> RecordChunk:
        """The records so far; the next begin a chunk of their own.

        Args:
            but_last: whether the last bad value stays, since its rule is not decided yet.
        """
        chunk, self.chunk = self.chunk, RecordChunk()
        if but_last:
            last = chunk.unreadable.pop()
            chunk.size_bytes -= len(last.raw)
            self.chunk.add_unreadable(last)
        return chunk


@dataclass
class Frame:
    """An open envelope, or (the first frame) the text around all of them.

    Attributes:
        start: offset in the stream.
        end: offset after it, where it is known to be valid JSON as a whole.
        line: physical line where it starts.
        line_start: offset of that line.
        indent: indentation of that line.
        key: the key that holds its events.
        members: the members before the events.
        giver: the fields that it gives to its records.
        arrays: how many arrays are open in it.
        is_trusted: whether it still gives fields.
        sink_state: state of the sink before it.
    """

    start: int = 0
    end: int | None = None
    line: int = 1
    line_start: int = 0
    indent: int = 0
    key: str = ""
    members: Members = field(default_factory=Members)
    giver: Giver = field(default_factory=Giver)
    arrays: int = 0
    is_trusted: bool = True
    sink_state: tuple[int, ...] = ()

"""Section 2, JSON text: a sequence of values, whole in memory, with line-wise recovery.

In: the text of a file, its broken bytes as lone surrogates. Out: records in the order of the file,
each with its line, the envelopes around it, or the rule by which it cannot be read.
"""

import json
import re
from bisect import bisect_right
from collections.abc import Callable
from dataclasses import dataclass, field

MAX_RECORD_BYTES = 16 * 1024 * 1024
MAX_DEPTH = 64
SPACE = " \t\r\n"
BETWEEN_VALUES = SPACE + ",\x1e\ufeff\0"
CLOSES = {"}": "{", "]": "["}
LITERALS = ("true", "false", "null")

LINE_END = re.compile(r"\r\n|\n|\r")
STRING_PREFIX = re.compile(
    r'"(?:[^"\\\x00-\x1f\udc80-\udcff]|\\["\\/bfnrt]|\\u[0-9a-fA-F]{4})*', re.DOTALL
)
CUT_ESCAPE = re.compile(r"\\(?:u[0-9a-fA-F]{0,3})?")
NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?")
CUT_NUMBER = re.compile(r"-?(?:(?:0|[1-9][0-9]*)(?:\.[0-9]*|(?:\.[0-9]+)?[eE][+-]?[0-9]*)?)?")
# In a bad value a string ends at the latest with its line.
ANY_STRING = re.compile(r'"(?:[^"\\\r\n]|\\[^\r\n])*\\?("?)')
BROKEN_BYTE = re.compile("[\udc80-\udcff]")

# The text of each member of an envelope, by its key.
Members = dict[str, str]


class NotJsonError(Exception):
    """The text is not JSON from this position on."""

    def __init__(self, position: int) -> None:
        super().__init__()
        self.position = position


class BracketsOpenError(Exception):
    """A bad value ended before its brackets closed: what follows is read as at top level."""

    def __init__(self, position: int) -> None:
        super().__init__()
        self.position = position


class TextEndsError(Exception):
    """The text ends within an array or envelope."""


@dataclass(frozen=True)
class Found:
    """One record: where it starts, its text as it stands there, what is around it."""

    line: int
    text: str
    problem: str | None = None
    envelopes: tuple[Members, ...] = ()  # nearest first


@dataclass
class Sequence:
    """All that a text holds."""

    found: list[Found] = field(default_factory=list)
    # The text and the key of the array of each envelope that holds something.
    envelopes: list[tuple[list[str], str]] = field(default_factory=list)
    blank_lines: int = 0
    # From where to where records and bad values reach: no line in there is a blank one.
    extents: list[tuple[int, int]] = field(default_factory=list)


@dataclass
class Frame:
    """An array that is open; of an envelope where it has members."""

    members: Members | None = None
    is_trusted: bool = True


@dataclass(frozen=True)
class Array:
    """A member of an object that may be the array of an envelope."""

    key: str
    start: int
    holds: str  # object, nothing, other
    first_object: str


@dataclass(frozen=True)
class Broken:
    """A member that is an array of no JSON, but may be that of an envelope."""

    key: str
    wrong_at: int


@dataclass
class Walk:
    """The members of an object, as far as they can be read."""

    members: list[tuple[str, str]] = field(default_factory=list)
    arrays: dict[str, Array] = field(default_factory=dict)
    # How many members stand in front of an array, by its key.
    members_before: dict[str, int] = field(default_factory=dict)
    broken: list[Broken] = field(default_factory=list)
    # The first comma too many, or the first place that lacks one.
    wrong_comma: int | None = None
    # Where the object ends; or where it is not JSON any more.
    end: int | None = None
    wrong_at: int = 0


# Which of the arrays, by key, makes an object with these members an envelope.
Chooses = Callable[[Walk], Array | None]


class Reader:
    """Reads one text; `line` where the text is the content of a string on that line."""

    def __init__(self, text: str, choose: Chooses, keys: tuple[str, ...], line: int = 0) -> None:
        self.text = text
        self.choose = choose
        self.keys = keys
        self.line = line
        self.stop = len(text.rstrip(BETWEEN_VALUES))
        self.line_starts = [0, *(match.end() for match in LINE_END.finditer(text))]
        self.line_ends = [*(match.start() for match in LINE_END.finditer(text)), len(text)]
        self.frames: list[Frame] = []
        self.sequence = Sequence()

    # The sequence of values

    def read(self) -> Sequence:
        """Read all values of the text."""
        position = 0
        while (position := self.after(position, BETWEEN_VALUES + "]}")) < len(self.text):
            self.frames = []
            try:
                position = self.value(position)
            except BracketsOpenError as error:
                position = error.position
            except TextEndsError:
                self.add_end()
                break
        self.count_blank_lines()
        return self.sequence

    def value(self, position: int) -> int:
        """Read the value that starts here; return where it ends."""
        first = self.text[position]
        if first == "{":
            return self.object(position)
        if first == "[":
            if len(self.frames) >= MAX_DEPTH:
                return self.bad(position, position, problem="too_deep")
            return self.array(position, Frame())
        try:
            end = self.strict_scalar(position)
        except NotJsonError as error:
            return self.bad(position, error.position)
        follows = BETWEEN_VALUES + "[]{}" + ('"' if first == '"' else "")
        if end < len(self.text) and self.text[end] not in follows:
            return self.bad(position, end)
        self.scalar(position, end)
        return end

    def scalar(self, position: int, end: int) -> None:
        """Add a string, number or literal; a string may stand for what it holds."""
        if self.text[position] == '"' and not self.line:
            content = json.loads(self.text[position:end])
            inner = Reader(content, self.choose, self.keys, self.line_of(position))
            inner.frames = self.frames
            if inner.is_one_value():
                # Of its frames only the trust can change, and that is shared.
                start = inner.after(0, SPACE)
                inner.value(start)
                self.sequence.found += inner.sequence.found
                self.sequence.envelopes += inner.sequence.envelopes
                self.sequence.blank_lines += inner.sequence.blank_lines
                self.sequence.extents.append((position, end))
                return
        self.add(position, end, "not_an_object")

    def is_one_value(self) -> bool:
        """Return whether the whole text is the JSON text of an object or an array."""
        start = self.after(0, SPACE)
        if self.text[start : start + 1] not in ("{", "["):
            return False
        try:
            end = self.strict(start)
        except NotJsonError:
            return False
        return self.after(end, SPACE) == len(self.text)

    def array(self, position: int, frame: Frame) -> int:
        """Read the elements of the array that starts here; return where it ends."""
        self.frames = [*self.frames, frame]
        outer = self.frames[:-1]
        is_empty, behind = True, position + 1
        while True:
            start = self.after(behind, BETWEEN_VALUES)
            if start >= len(self.text):
                raise TextEndsError
            if self.text[start] == "]":
                self.frames = outer
                if is_empty and frame.members is None:
                    self.sequence.blank_lines += 1
                return start + 1
            if self.text[start] == "}":
                self.distrust()
                behind = start + 1
                continue
            begins_line = not self.text[self.line_start(start) : start].strip(BETWEEN_VALUES)
            if begins_line and not is_empty and "," not in self.text[behind:start]:
                self.distrust()
            is_empty = False
            behind = self.value(start)

    def distrust(self) -> None:
        """Let no envelope give anything any more: brackets cannot be trusted."""
        for frame in self.frames:
            frame.is_trusted = False

    def object(self, position: int) -> int:
        """Read the object that starts here: a record, an envelope or a bad value."""
        walk = self.walk(position)
        array = self.choose(walk)
        is_good = walk.end is not None and walk.wrong_comma is None and not walk.broken
        others = [] if array is None else [one for one in walk.broken if one.key != array.key]
        if array is None or any(one.wrong_at < array.start for one in others):
            if not is_good or walk.end is None:
                return self.bad(position, self.wrong_at(walk))
            text = self.text[position : walk.end]
            is_large = len(text.encode("utf-8", "surrogateescape")) > MAX_RECORD_BYTES
            is_deep = not is_large and self.depth(position, walk.end) > MAX_DEPTH
            self.add(
                position, walk.end, "too_large" if is_large else "too_deep" if is_deep else None
            )
            return walk.end
        return self.envelope(position, walk, array, others)

    def wrong_at(self, walk: Walk) -> int:
        """Return the first place at which an object is not JSON."""
        places = [one.wrong_at for one in walk.broken]
        places += [] if walk.wrong_comma is None else [walk.wrong_comma]
        return min([*places, *([walk.wrong_at] if walk.end is None else [])])

    def envelope(self, position: int, walk: Walk, array: Array, behind: list[Broken]) -> int:
        """Read the elements of an envelope; return where it ends."""
        # What stands in front of the first bad member counts.
        count = walk.members_before[behind[0].key] if behind else len(walk.members)
        members = dict(walk.members[:count])
        holds_something = array.holds != "nothing"
        if holds_something:
            keys = [key for key, _ in walk.members[:count]]
            self.sequence.envelopes.append((keys, array.key))
        self.sequence.extents.append((position, array.start))
        end = self.array(array.start, Frame(members))
        self.sequence.extents.append((end, end if walk.end is None or behind else walk.end))
        if walk.end is not None and not behind:
            self.sequence.blank_lines += not holds_something
            return walk.end
        wrong_at = behind[0].wrong_at if behind else walk.wrong_at
        rest = self.after(end, BETWEEN_VALUES)
        if wrong_at >= self.stop and self.end_of_bad(rest, position)[0] >= self.stop:
            self.sequence.extents.append((end, self.stop))
            raise TextEndsError
        if self.text[rest] != '"' and rest > self.last_line_end(position, end, has_bracket=True):
            # It lost its end with its line: what begins another line is none of its members.
            self.add(end, end, "malformed_json")
            raise BracketsOpenError(end)
        return self.bad(rest, wrong_at, opened=position)

    # What a good value is

    def walk(self, position: int) -> Walk:
        """Walk over the members of the object that starts here, an array of events with care."""
        walk = Walk()
        place = position + 1
        needs_comma = has_comma = False
        while True:
            place = self.after(place, SPACE)
            here = self.text[place : place + 1]
            if here in (",", "]"):
                if walk.wrong_comma is None and (here == "]" or not needs_comma):
                    walk.wrong_comma = place
                # A bracket too many is as little in the way as a comma.
                needs_comma, has_comma = False, here == ","
                place += 1
                continue
            if here == "}":
                if has_comma and walk.wrong_comma is None:
                    walk.wrong_comma = place
                walk.end = place + 1
                return walk
            walk.wrong_at = place
            if needs_comma and walk.wrong_comma is None:
                walk.wrong_comma = place
            try:
                place = self.member(place, walk)
            except NotJsonError as error:
                walk.wrong_at = error.position
                return walk
            needs_comma, has_comma = True, False

    def member(self, position: int, walk: Walk) -> int:
        """Add the member that starts here; return where it ends."""
        key_end = self.strict_string(position)
        key: str = json.loads(self.text[position:key_end])
        colon = self.after(key_end, SPACE)
        if self.text[colon : colon + 1] != ":":
            raise NotJsonError(colon)
        start = self.after(colon + 1, SPACE)
        if self.text[start : start + 1] == "[" and key in self.keys:
            return self.array_member(key, start, walk)
        end = self.strict(start)
        walk.members.append((key, self.text[start:end]))
        walk.arrays.pop(key, None)
        return end

    def array_member(self, key: str, start: int, walk: Walk) -> int:
        """Add an array that may be that of an envelope, broken or not; return where it ends."""
        walk.arrays[key] = Array(key, start, *self.holds(start))
        walk.members_before[key] = len(walk.members)
        try:
            end = self.strict(start)
        except NotJsonError as error:
            walk.broken.append(Broken(key, error.position))
            trial = Reader(self.text, self.choose, self.keys, self.line)
            try:
                end = trial.array(start, Frame())
            except (BracketsOpenError, TextEndsError):
                raise NotJsonError(error.position) from error
            # It counts as a key only.
            walk.members.append((key, "[]"))
            return end
        walk.members.append((key, self.text[start:end]))
        return end

    def holds(self, start: int) -> tuple[str, str]:
        """Return what an array holds (object, nothing, other), and the text of its first object."""
        trial = Reader(self.text, lambda _: None, (), self.line)
        trial.array_of_elements(start)
        objects = [text for text in trial.elements or () if text.startswith("{")]
        if objects:
            return "object", objects[0]
        return ("nothing" if trial.elements == () else "other"), ""

    # None while the array is open.
    elements: tuple[str, ...] | None = None

    def array_of_elements(self, start: int) -> None:
        """Collect the texts of the direct elements of an array, good and bad."""
        found: list[str] = []
        position = start + 1
        while (position := self.after(position, BETWEEN_VALUES + "}")) < len(self.text):
            if self.text[position] == "]":
                self.elements = tuple(found)
                return
            self.frames = [Frame()]
            begin = position
            try:
                position = self.value(position)
            except BracketsOpenError as error:
                found.append(self.text[begin : error.position])
                break
            except TextEndsError:
                found.append(self.text[begin:])
                break
            found.append(self.stands_for(self.text[begin:position]))
        self.elements = tuple(found) if found else None

    def stands_for(self, text: str) -> str:
        """Return the JSON text that a string holds, else the text itself."""
        if self.line or not text.startswith('"'):
            return text
        try:
            content: str = json.loads(text)
        except ValueError:
            return text
        is_json = Reader(content, self.choose, self.keys, line=1).is_one_value()
        return content.strip(SPACE) if is_json else text

    def strict(self, position: int) -> int:
        """Return where the JSON value that starts here ends, by RFC 8259."""
        first = self.text[position : position + 1]
        if first not in ("{", "["):
            return self.strict_scalar(position)
        closing = "}" if first == "{" else "]"
        place = self.after(position + 1, SPACE)
        if self.text[place : place + 1] == closing:
            return place + 1
        while True:
            if first == "{":
                key_end = self.after(self.strict_string(place), SPACE)
                if self.text[key_end : key_end + 1] != ":":
                    raise NotJsonError(key_end)
                place = self.after(key_end + 1, SPACE)
            place = self.after(self.strict(place), SPACE)
            if self.text[place : place + 1] == closing:
                return place + 1
            if self.text[place : place + 1] != ",":
                raise NotJsonError(place)
            place = self.after(place + 1, SPACE)

    def strict_scalar(self, position: int) -> int:
        """Return where the string, number or literal that starts here ends."""
        first = self.text[position : position + 1]
        if first == '"':
            return self.strict_string(position)
        for literal in LITERALS:
            if first == literal[0]:
                return self.strict_literal(position, literal)
        number = NUMBER.match(self.text, position)
        rest = self.text[position : self.stop]
        if rest and CUT_NUMBER.fullmatch(rest) and not NUMBER.fullmatch(rest):
            raise NotJsonError(self.stop)
        if number is None:
            raise NotJsonError(position)
        return number.end()

    def strict_literal(self, position: int, literal: str) -> int:
        """Return where a literal ends."""
        for place, character in enumerate(literal, start=position):
            if self.text[place : place + 1] != character:
                raise NotJsonError(place)
        return position + len(literal)

    def strict_string(self, position: int) -> int:
        """Return where a string ends."""
        match = STRING_PREFIX.match(self.text, position)
        if match is None:
            raise NotJsonError(position)
        end = match.end()
        if self.text[end : end + 1] == '"':
            return end + 1
        raise NotJsonError(self.stop if CUT_ESCAPE.fullmatch(self.text, end, self.stop) else end)

    def depth(self, start: int, end: int) -> int:
        """Return how deep arrays and objects are nested in a text, brackets in strings left out."""
        deepest = level = 0
        while start < end:
            character = self.text[start]
            if character == '"':
                start = self.strict_string(start)
                continue
            level += (character in "[{") - (character in "]}")
            deepest = max(deepest, level)
            start += 1
        return deepest

    # Where a bad value ends

    def bad(
        self,
        start: int,
        wrong_at: int,
        *,
        opened: int | None = None,
        problem: str | None = None,
    ) -> int:
        """Add the bad value that starts here; return where it ends if its brackets closed.

        `opened`: the envelope whose rest it is.
        """
        end, goes_on, is_odd = self.end_of_bad(start, opened)
        if problem is None:
            problem = "truncated_tail" if wrong_at >= self.stop else "malformed_json"
            if BROKEN_BYTE.search(self.text, start, end):
                problem = "bad_encoding"
        self.add(start, end, problem)
        if is_odd:
            self.distrust()
        if not goes_on:
            raise BracketsOpenError(end)
        return end

    def end_of_bad(self, start: int, opened: int | None) -> tuple[int, bool, bool]:
        """Return where a bad value ends, whether its array goes on, whether a quote is odd."""
        has_bracket = opened is not None or self.text[start] in "[{"
        is_bare = bool(self.frames) and not has_bracket
        limit = self.last_line_end(start if opened is None else opened, start, has_bracket)
        counts = {"{": int(opened is not None), "[": 0}
        place, is_odd = start, False
        while place < limit:
            character = self.text[place]
            if character == '"':
                match = ANY_STRING.match(self.text, place)
                assert match is not None
                is_odd = is_odd or self.is_odd(start, match, limit)
                place = match.end()
                continue
            if is_bare and character in ",[]{}":
                return place, True, is_odd
            if character in "[{":
                counts[character] += 1
            elif character in "]}" and counts[CLOSES[character]] > 0:
                counts[CLOSES[character]] -= 1
                if not any(counts.values()):
                    return place + 1, True, is_odd
            if character == "}" and self.text[self.after(place + 1, SPACE + "\x1e") :][:1] == "{":
                return place + 1, False, is_odd
            place += 1
        return limit, is_bare, is_odd

    def is_odd(self, start: int, match: re.Match[str], limit: int) -> bool:
        """Return whether a quote of this string stands where no string can begin or end."""
        before = self.text[start : match.start()].rstrip(SPACE)[-1:]
        behind = self.text[match.end() : limit].lstrip(SPACE)[:1]
        return before not in ("", *"{[,:") or behind not in ("", *"}],:") or not match[1]

    def last_line_end(self, opened: int, start: int, has_bracket: bool) -> int:
        """Return where the last line ends that a bad value can reach."""
        number = bisect_right(self.line_starts, start) - 1
        if not has_bracket:
            return self.line_ends[number]
        indent = self.indent_of(bisect_right(self.line_starts, opened) - 1)
        while number + 1 < len(self.line_starts):
            line = self.line_text(number + 1)
            is_deeper = self.indent_of(number + 1) > indent
            is_closing = line.lstrip(" \t")[:1] in ("}", "]")
            if not line.strip(SPACE) or not (is_deeper or is_closing):
                break
            if not is_deeper:
                if self.indent_of(number + 1) == indent:
                    number += 1
                break
            number += 1
        return self.line_ends[number]

    # Places

    def after(self, position: int, characters: str) -> int:
        """Return the first place from here on that holds none of these characters."""
        while position < len(self.text) and self.text[position] in characters:
            position += 1
        return position

    def line_start(self, position: int) -> int:
        return self.line_starts[bisect_right(self.line_starts, position) - 1]

    def line_text(self, number: int) -> str:
        return self.text[self.line_starts[number] : self.line_ends[number]]

    def indent_of(self, number: int) -> int:
        line = self.line_text(number)
        return len(line) - len(line.lstrip(" \t"))

    def line_of(self, position: int) -> int:
        """Return the physical line of a place, from 1."""
        return self.line or bisect_right(self.line_starts, position)

    def add(self, start: int, end: int, problem: str | None) -> None:
        """Add a record with the envelopes that give to it."""
        envelopes = tuple(
            frame.members
            for frame in reversed(self.frames)
            if frame.members is not None and frame.is_trusted
        )
        text = self.text[start:end]
        self.sequence.found.append(Found(self.line_of(start), text, problem, envelopes))
        self.sequence.extents.append((start, end))

    def add_end(self) -> None:
        """Add what says that the text ends within an array or envelope."""
        line = self.line_of(max(self.stop - 1, 0))
        self.sequence.found.append(Found(line, "", "truncated_tail"))

    def count_blank_lines(self) -> None:
        """Count the lines that hold nothing, outside of all values."""
        for start, end in zip(self.line_starts, self.line_ends, strict=True):
            # After the last line end nothing is left: that is not a line.
            if start == len(self.text) or self.text[start:end].strip(BETWEEN_VALUES):
                continue
            if not any(first < start and end < last for first, last in self.sequence.extents):
                self.sequence.blank_lines += 1

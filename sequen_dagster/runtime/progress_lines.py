"""How far the work is, in lines, for a file, the log of a container, or Dagster's log.

In: (stage, message) as work gets done. Out: a line as each stage begins and ends, and one every
so many seconds.
"""

import re
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

from sequen_dagster.runtime.progress import counting_records, listening
from sequen_dagster.runtime.text import counted, printable

EVERY_SECONDS: Final = 30
# In Dagster's log, where a person looks on.
LOG_EVERY_SECONDS: Final = 10
_COUNTED: Final = re.compile(r"^(\d+)/(\d+)(?: |$)")
_ENDS: Final = ("done", "failed")
_UNITS: Final = {"lake": "file", "marts": "model"}


class ProgressLines:
    """Writes lines about the stages of a command.

    Args:
        write: takes a line.
        clock: seconds since some moment.
        says_steps: whether messages are lines of their own, not only what `say_how_far` says.
    """

    def __init__(
        self,
        write: Callable[[str], None],
        clock: Callable[[], float] = time.monotonic,
        *,
        says_steps: bool = True,
    ) -> None:
        self._write = write
        self._says_steps = says_steps
        self._clock = clock
        self._lock = threading.Lock()
        self._stage = ""
        self._message = ""
        self._began = 0.0
        self._records = 0

    def note(self, stage: str, message: str) -> None:
        """Take a message: a stage that begins, that ends, or what it has just done.

        One that counts, such as `3/10 a.jsonl`, or says the same of another thing, waits for the
        next line of `say_how_far`.
        """
        with self._lock:
            if message.replace(" ", "_") == self._stage:
                return
            is_new = stage != self._stage
            if is_new:
                self._stage, self._began, self._records = stage, self._clock(), 0
            is_counted = _COUNTED.match(message)
            is_same_kind = not is_new and _first_word(message) == _first_word(self._message)
            self._message = message
            if self._says_steps and not is_counted and not is_same_kind:
                self._write(printable(f"{stage}: {message}"))
            if _first_word(message) in _ENDS:
                self._stage = ""

    def count_records(self, records: int) -> None:
        """Take that so many more records were validated."""
        with self._lock:
            self._records += records

    def say_how_far(self) -> None:
        """Write how far the stage is."""
        with self._lock:
            if self._stage:
                self._write(printable(f"{self._stage}: {self._describe()}"))

    def _describe(self) -> str:
        seconds = self._clock() - self._began
        found = _COUNTED.match(self._message)
        if found is None:
            return f"{self._message}, {seconds:,.0f} s"
        unit = _UNITS.get(self._stage, "step")
        parts = [f"{int(found[1]):,} of {counted(int(found[2]), unit)}"]
        if self._records and seconds > 0:
            rate = self._records / seconds
            parts.append(f"{counted(self._records, 'record')} ({rate:,.0f} a second)")
        return ", ".join([*parts, f"{seconds:,.0f} s"])

    @contextmanager
    def speaking(self, every_seconds: float = EVERY_SECONDS) -> Iterator[None]:
        """Say how far it is every so many seconds while the block runs."""
        is_over = threading.Event()

        def speak() -> None:
            while not is_over.wait(every_seconds):
                self.say_how_far()

        thread = threading.Thread(target=speak, name="progress-lines", daemon=True)
        thread.start()
        try:
            yield
        finally:
            is_over.set()
            thread.join()


@contextmanager
def logging_progress(
    write: Callable[[str], None],
    stage: str,
    message: str,
    *,
    every_seconds: float = LOG_EVERY_SECONDS,
) -> Iterator[None]:
    """Write now and then how far the work of the block is, beside what else listens.

    Do not yield from within the block: a generator may be closed in another context.

    Args:
        write: takes a line, such as `context.log.info`.
        stage: of the work.
        message: what it begins with.
        every_seconds: how far two lines are apart.
    """
    lines = ProgressLines(write, says_steps=False)
    lines.note(stage, message)
    with (
        listening(lines.note, and_others=True),
        counting_records(lines.count_records, and_others=True),
        lines.speaking(every_seconds),
    ):
        yield


def _first_word(message: str) -> str:
    return message.partition(" ")[0]

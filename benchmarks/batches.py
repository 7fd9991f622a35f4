"""What a batch costs: a whole run on 50,000 new events, on a short and on a long history."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from benchmarks.cases import Case, sized
from benchmarks.days import EVENTS_PER_DAY, write_bot, write_days
from benchmarks.runs import RunMeasured, case_of_runs, measure_disk, measure_run

HISTORY: Final = "history taken in at once"
BATCH: Final = "a batch of 50,000 on a history"
NOTHING_NEW: Final = "nothing new on a history"
BESIDE_BOT: Final = "a batch of 50,000 beside a bot"

_BOT_EVENTS: Final = 1_000_000
_BOT_BATCH: Final = 500


def bench_batches(
    folder: Path, histories: Sequence[int], rounds: int, *, has_bot: bool = False
) -> list[Case]:
    """Take in a history, then in each round a day more, then nothing.

    Rounds of the histories take turns, so that a slow minute of the machine hits all of them.

    Args:
        folder: gets the exports and the homes.
        histories: events of each history; the shorter ones are the last days of the longest.
        rounds: how many batches are measured, after one that is not.
        has_bot: whether to do the same on the shortest history beside a visitor with a million
            events, who sends 500 more with each batch.
    """
    days = max(histories) // EVENTS_PER_DAY
    homes = [
        _History.begin(folder / str(events), events, first_day=days - events // EVENTS_PER_DAY)
        for events in sorted(histories)
    ]
    if has_bot:
        shortest = min(histories)
        first_day = days - shortest // EVENTS_PER_DAY
        homes.append(_History.begin(folder / "bot", shortest, first_day=first_day, has_bot=True))
    # The first batch warms caches up and is not counted.
    for number in range(rounds + 1):
        for home in homes:
            home.add_batch(day=days + number, is_counted=number > 0)
    return [case for home in homes for case in home.cases()]


@dataclass
class _History:
    exports: Path
    home: Path
    events: int
    is_bot: bool
    taken_in: RunMeasured
    disk_mib: dict[str, float]
    batches: list[RunMeasured] = field(default_factory=list)
    nothing: list[RunMeasured] = field(default_factory=list)

    @classmethod
    def begin(
        cls, folder: Path, events: int, *, first_day: int, has_bot: bool = False
    ) -> "_History":
        """Write the history and take it in."""
        exports, home = folder / "exports", folder / "home"
        write_days(exports, first_day, first_day + events // EVENTS_PER_DAY)
        if has_bot:
            write_bot(exports, 0, _BOT_EVENTS)
        taken_in = measure_run(exports, home)
        return cls(exports, home, events, has_bot, taken_in, measure_disk(exports, home))

    def add_batch(self, *, day: int, is_counted: bool) -> None:
        """Take in a day more, and then nothing."""
        write_days(self.exports, day, day + 1)
        if self.is_bot:
            second = _BOT_EVENTS + _BOT_BATCH * day
            write_bot(self.exports, second, second + _BOT_BATCH)
        batch = measure_run(self.exports, self.home)
        nothing = measure_run(self.exports, self.home)
        if is_counted:
            self.batches.append(batch)
            self.nothing.append(nothing)

    def cases(self) -> list[Case]:
        """What was measured."""
        if self.is_bot:
            name = sized(BESIDE_BOT, self.events)
            return [case_of_runs(name, EVENTS_PER_DAY + _BOT_BATCH, self.batches)]
        name = sized(HISTORY, self.events)
        return [
            case_of_runs(name, self.events, [self.taken_in], disk_mib=self.disk_mib),
            case_of_runs(sized(BATCH, self.events), EVENTS_PER_DAY, self.batches),
            case_of_runs(sized(NOTHING_NEW, self.events), 0, self.nothing),
        ]

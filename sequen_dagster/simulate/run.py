"""Simulated exports: visits into files.

In: a `Simulation` and a folder. Out: the exports, `truth.json`, and `broken.jsonl`, which places
every broken record. One file is in memory at a time, with what is known of later ones.
"""

from __future__ import annotations

import os
from dataclasses import replace
from typing import IO, TYPE_CHECKING

import msgspec

from sequen_dagster.simulate import files
from sequen_dagster.simulate.clock import (
    DAY_MS,
    HOUR_MS,
    MINUTE_MS,
    Calendar,
    day_start_ms,
    day_text,
)
from sequen_dagster.simulate.defects import BROKEN, WARNED, Defect, InjectedDefects
from sequen_dagster.simulate.settings import family_of
from sequen_dagster.simulate.shop import Shop
from sequen_dagster.simulate.truth import FileTruth, RecordCounts, Truth
from sequen_dagster.simulate.visit import Visit

if TYPE_CHECKING:
    from pathlib import Path

    from sequen_dagster.simulate.sender import Event, Record
    from sequen_dagster.simulate.settings import Family, Simulation

_BLANK_LINE_RATE = 0.0005
_COPY_REACH_DAYS = 3


def simulate(simulation: Simulation, out: Path) -> Truth:
    """Write the exports of a simulated shop, and return what is true of them.

    Use it for demonstrations, tests and measurements: nothing in the files is random beyond the
    seed, and their modified times are those of the simulated days.

    Args:
        simulation: Settings; the same give the same bytes.
        out: Folder that gets `exports/`, `truth.json` and `broken.jsonl`; made if missing.

    Returns:
        The truth, as also written to `truth.json`.

    Raises:
        FileExistsError: `out/exports` already holds files, which would mix with the new ones.

    Example:
        >>> import tempfile
        >>> from pathlib import Path
        >>> from sequen_dagster.simulate import Simulation
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     truth = simulate(Simulation(events=300, days=1), Path(folder))
        >>> truth.records == truth.accepted + truth.quarantined
        True
    """
    exports = out / "exports"
    if exports.exists() and any(exports.iterdir()):
        raise FileExistsError(f"{exports} is not empty; name a new folder, or remove it first.")
    exports.mkdir(parents=True, exist_ok=True)
    with (out / "broken.jsonl").open("wb") as labels:
        truth = _run(simulation, exports, labels)
    truth.write(out / "truth.json")
    return truth


def _run(simulation: Simulation, exports: Path, labels: IO[bytes]) -> Truth:
    shop = Shop(simulation)
    calendar = Calendar(simulation.first_day, simulation.days)
    exporter = _Exporter(shop, exports, labels)
    simulated = 0
    while simulated < simulation.events:
        started_at = calendar.at(simulated / simulation.events)
        exporter.write_until(started_at)
        records = Visit(shop, started_at=started_at).walk()
        exporter.take(records)
        simulated += len(records)
    exporter.write_all()
    return exporter.record_counts.truth(
        simulated_events=simulated,
        position_bias=simulation.position_bias,
        relevance={item.item_id: item.relevance for item in shop.items},
    )


class _Exporter:
    """Keeps records until the file they arrive in is complete, then writes it."""

    def __init__(self, shop: Shop, exports: Path, labels: IO[bytes]) -> None:
        self._simulation = shop.simulation
        self._starts_at = day_start_ms(shop.simulation.first_day)
        self._draw = shop.random.random
        self._exports = exports
        self._labels = labels
        self._pending: dict[int, list[Record]] = {}
        self._next_file = 0
        self._broken = InjectedDefects(BROKEN)
        self._warned = InjectedDefects(WARNED)
        self.record_counts = RecordCounts()

    def take(self, records: list[Record]) -> None:
        """Put the records of a visit into the files they arrive in."""
        for record in records:
            self._pending.setdefault(self._file_at(record.arrives_at), []).append(record)

    def write_until(self, at_ms: int) -> None:
        """Write the files that nothing of a visit from now on can arrive in."""
        while self._next_file < self._file_at(at_ms):
            self._write_file(self._next_file)
            self._next_file += 1

    def write_all(self) -> None:
        """Write the files that are left."""
        while self._next_file < self._simulation.file_count:
            self._write_file(self._next_file)
            self._next_file += 1

    def _file_at(self, at_ms: int) -> int:
        stretch = (at_ms - self._starts_at) * self._simulation.files_per_day // DAY_MS
        return min(stretch, self._simulation.file_count - 1)

    def _file_start(self, number: int) -> int:
        return self._starts_at + number * DAY_MS // self._simulation.files_per_day

    def _write_file(self, number: int) -> None:
        records = self._pending.pop(number, [])
        if not records:
            return
        for record in tuple(records):
            if record.copy_of is None:
                self._decide(record, number, records)
        records.sort(key=lambda record: (record.arrives_at, record.visit, record.number))
        per_day = self._simulation.files_per_day
        day = (self._starts_at // DAY_MS) + number // per_day
        file_format = self._simulation.format_of(number)
        name = f"events-{number % per_day:0{max(2, len(str(per_day - 1)))}d}.{file_format}"
        path = self._exports / day_text(day) / name
        path.parent.mkdir(exist_ok=True)
        received_at = max((day + 1) * DAY_MS + HOUR_MS, records[-1].arrives_at + MINUTE_MS)
        sheet = self._fill(
            records, path, family_of(file_format), received_at_ms=received_at, file_day=day
        )
        sheet.write(path, file_format=file_format)
        os.utime(path, ns=(received_at * 1_000_000, received_at * 1_000_000))

    def _decide(self, record: Record, number: int, records: list[Record]) -> None:
        """Draw whether a record is to be broken, given a warning, or copied; place its copy."""
        simulation, roll = self._simulation, self._draw()
        warned_from = simulation.broken_rate
        same_from = warned_from + simulation.warning_rate
        conflict_from = same_from + simulation.duplicate_rate
        if roll < warned_from:
            record.defect = "broken"
        elif roll < same_from:
            record.defect = "warned"
        elif roll < conflict_from + simulation.conflict_rate and "id" in record.event:
            self._copy(record, "same" if roll < conflict_from else "conflict", number, records)

    def _copy(self, record: Record, kind: str, number: int, records: list[Record]) -> None:
        copy = replace(record, copy_of=kind)
        later = self._later_file(number, same_family=kind == "same")
        if later is None:
            copy.arrives_at += 1_000 + int(self._draw() * MINUTE_MS)
            records.append(copy)
        else:
            stretch = self._file_start(later + 1) - self._file_start(later)
            copy.arrives_at = self._file_start(later) + 10_000 + int(self._draw() * stretch)
            self._pending.setdefault(later, []).append(copy)
        if kind == "conflict":
            # The earlier ingest_timestamp wins, so the truth is that of the first record.
            record.event.setdefault("ingest_timestamp", record.arrives_at)
            copy.event = {**record.event, "ingest_timestamp": copy.arrives_at, "attempt": 2}

    def _later_file(self, number: int, *, same_family: bool) -> int | None:
        """Return a later file for half of the copies, or None: the same file.

        The same event has the same text only within a family of formats, so an unchanged copy
        does not leave it.
        """
        simulation = self._simulation
        if self._draw() < 0.5:
            return None
        last = min(number + _COPY_REACH_DAYS * simulation.files_per_day, simulation.file_count - 1)
        family = family_of(simulation.format_of(number))
        fitting = [
            later
            for later in range(number + 1, last + 1)
            if not same_family or family_of(simulation.format_of(later)) == family
        ]
        return fitting[int(self._draw() * len(fitting))] if fitting else None

    def _fill(
        self,
        records: list[Record],
        path: Path,
        family: Family,
        *,
        received_at_ms: int,
        file_day: int,
    ) -> files.Sheet:
        """Put records into a sheet, give defects to those that are to have one, and count."""
        sheet, quarantined, last = files.Sheet(family), 0, len(records) - 1
        name = path.relative_to(self._exports).as_posix()
        for position, record in enumerate(records):
            event = files.as_sent(record, family)
            is_inside = 0 < position < last
            defect, turn = self._inject_defect(record, event, family, is_inside=is_inside)
            if family == "lines" and is_inside and self._draw() < _BLANK_LINE_RATE:
                sheet.add_blank_line()
            sheet.add(event, defect=defect, turn=turn)
            if defect and record.defect == "broken":
                quarantined += 1
                self.record_counts.quarantine(defect.kind, defect.codes)
                self._label(name, sheet.last_place(), defect)
            else:
                if defect:
                    self.record_counts.warnings.update(defect.codes)
                event_type = str(event["type"])
                self.record_counts.accept(
                    record, event_type, received_at_ms=received_at_ms, file_day=file_day
                )
        self.record_counts.files.append(
            FileTruth(
                path=name,
                format=self._simulation.format_of(self._next_file),
                records=len(records),
                accepted=len(records) - quarantined,
                quarantined=quarantined,
                blank_lines=sheet.blank_lines,
                received_at_ms=received_at_ms,
            )
        )
        return sheet

    def _inject_defect(
        self, record: Record, event: Event, family: Family, *, is_inside: bool
    ) -> tuple[Defect | None, int]:
        if record.defect is None:
            return None, 0
        injected_defects = self._broken if record.defect == "broken" else self._warned
        defect = injected_defects.choose(event, family, may_be_unreadable=is_inside)
        return defect, injected_defects.inflict(defect, event) if defect else 0

    def _label(self, name: str, place: tuple[int, int], defect: Defect) -> None:
        line, item = place
        label = {
            "file": name,
            "line": line,
            "item": item,
            "kind": defect.kind,
            "rules": defect.codes,
        }
        self._labels.write(msgspec.json.encode(label) + b"\n")

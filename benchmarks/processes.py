"""What a command takes: wall time, CPU time and memory of all its processes together.

In: a command. Out: a `Usage`. Memory is sampled, so a peak shorter than the pause between two
samples may be missed; times are those of the operating system.
"""

import os
import subprocess
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import psutil

_PAUSE_SECONDS: Final = 0.1
# Counting the pages of large processes takes time; of one core it must not take more than this.
_MOST_SHARE: Final = 0.05
_MIB: Final = 1024**2
_LAST_BYTES: Final = 3_000


@dataclass(frozen=True)
class Usage:
    """What one command took.

    Attributes:
        seconds: wall time.
        cpu_seconds: CPU time of the command and of all processes below it, user and system.
        peak_mib: largest memory of all processes together at one moment, in MiB. A page that
            several processes share counts once, where the operating system says so (Linux);
            elsewhere once for each.
        peak_mib_by_process: the same for each kind of process, by `process_kind`.
    """

    seconds: float
    cpu_seconds: float
    peak_mib: float
    peak_mib_by_process: dict[str, float] = field(default_factory=dict)


def measure(
    command: Sequence[str | Path],
    *,
    output: Path | None = None,
    environment: Mapping[str, str] | None = None,
) -> Usage:
    """Run a command to its end.

    Args:
        command: program and arguments.
        output: gets what it prints, errors included; dropped where there is none.
        environment: variables beside those of this process.

    Raises:
        RuntimeError: it did not end with 0; with the end of what it printed.
    """
    log = output or Path(os.devnull)
    peaks = _Peaks()
    with log.open("wb") as printed:
        started = time.perf_counter()
        process = subprocess.Popen(
            [str(one) for one in command],
            stdin=subprocess.DEVNULL,
            stdout=printed,
            stderr=subprocess.STDOUT,
            env={**os.environ, **(environment or {})},
        )
        wait = _Wait(process)
        while not wait.has_ended(peaks.sample(process.pid)):
            pass
    if process.returncode != 0:
        said = output.read_bytes()[-_LAST_BYTES:].decode(errors="replace") if output else ""
        message = f"{command[0]} ... {command[-1]} ended with {process.returncode}: {said}"
        raise RuntimeError(message)
    return Usage(
        wait.ended_at - started, wait.cpu_seconds, peaks.together / _MIB, peaks.by_kind_in_mib()
    )


def process_kind(command: Sequence[str]) -> str:
    """What a process below a command is: `dbt`, a `worker` of a pool, or `main` for any other.

    Args:
        command: its program and arguments.

    Example:
        >>> process_kind(["python", "-m", "dbt.cli.main", "build"]), process_kind(["duckdb"])
        ('dbt', 'main')
    """
    words = command[:4]
    if any(word == "dbt.cli.main" or word.endswith("/dbt") for word in words):
        return "dbt"
    return "worker" if any("multiprocessing" in word for word in words) else "main"


class _Wait:
    """Waits for a process in a thread of its own, so that its end is known to the moment."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self._process = process
        self._ended = threading.Event()
        self.ended_at = 0.0
        self.cpu_seconds = 0.0
        threading.Thread(target=self._wait, daemon=True).start()

    def has_ended(self, pause: float) -> bool:
        """Wait for the end, at most so many seconds; say whether it has come."""
        return self._ended.wait(pause)

    def _wait(self) -> None:
        # The resources of a process that was waited for are those of its children, too.
        _, status, usage = os.wait4(self._process.pid, 0)
        self.ended_at = time.perf_counter()
        self.cpu_seconds = usage.ru_utime + usage.ru_stime
        self._process.returncode = os.waitstatus_to_exitcode(status)
        self._ended.set()


class _Peaks:
    """Largest memory seen, of all processes together and of each kind, in bytes."""

    def __init__(self) -> None:
        self.together = 0
        self._by_kind: dict[str, int] = {}

    def sample(self, pid: int) -> float:
        """Look at a process and those below it; return the seconds until the next look."""
        started = time.thread_time()
        now: dict[str, int] = {}
        for process in _process_tree(pid):
            try:
                kind = process_kind(process.cmdline())
                now[kind] = now.get(kind, 0) + _memory_of(process)
            except (psutil.NoSuchProcess, psutil.AccessDenied, ProcessLookupError):
                continue  # it has just ended
        self.together = max(self.together, sum(now.values()))
        for kind, size in now.items():
            self._by_kind[kind] = max(size, self._by_kind.get(kind, 0))
        return max(_PAUSE_SECONDS, (time.thread_time() - started) / _MOST_SHARE)

    def by_kind_in_mib(self) -> dict[str, float]:
        return {kind: size / _MIB for kind, size in sorted(self._by_kind.items())}


def _process_tree(pid: int) -> list[psutil.Process]:
    try:
        process = psutil.Process(pid)
        return [process, *process.children(recursive=True)]
    except psutil.NoSuchProcess:
        return []


def _memory_of(process: psutil.Process) -> int:
    if psutil.LINUX:
        return int(process.memory_full_info().pss)
    return int(process.memory_info().rss)

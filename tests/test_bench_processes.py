"""What a command takes is measured over all its processes."""

import sys
from pathlib import Path

import pytest

from benchmarks.processes import Usage, measure, process_kind

# A parent and a child, each of which holds so many MiB and computes for a while.
TWO_PROCESSES = """
import subprocess, sys, time
held = bytearray(b"x") * (int(sys.argv[1]) << 20)
if sys.argv[2:]:
    subprocess.run([sys.executable, sys.argv[0], *sys.argv[2:]], check=True)
ended = time.process_time() + 0.3
while time.process_time() < ended:
    pass
time.sleep(0.3)
"""


@pytest.fixture
def script(tmp_path: Path) -> Path:
    path = tmp_path / "two.py"
    path.write_text(TWO_PROCESSES, encoding="utf-8")
    return path


def test_memory_and_cpu_time_of_all_processes_are_added(script: Path) -> None:
    one = measure([sys.executable, script, "100"])
    two = measure([sys.executable, script, "100", "200"])

    assert 100 < one.peak_mib < 200
    assert 300 < two.peak_mib < 500
    assert 0.3 <= one.cpu_seconds < 0.6 <= two.cpu_seconds
    # Asleep they take no CPU time.
    assert one.seconds >= 0.6
    assert two.seconds >= 1.2


def test_peak_is_that_of_one_moment(tmp_path: Path) -> None:
    script = tmp_path / "in_turn.py"
    child = "import time; held = bytearray(b'x') * (150 << 20); time.sleep(0.5)"
    script.write_text(
        "import subprocess, sys\n"
        f"for _ in range(2):\n    subprocess.run([sys.executable, '-c', {child!r}], check=True)\n",
        encoding="utf-8",
    )

    usage = measure([sys.executable, script])

    assert 150 < usage.peak_mib < 300


def test_memory_is_kept_by_kind_of_process(tmp_path: Path) -> None:
    script = tmp_path / "pool.py"
    script.write_text(
        "import time\n"
        "from concurrent.futures import ProcessPoolExecutor\n"
        "from multiprocessing import get_context\n"
        "def hold(size):\n"
        "    held = bytearray(b'x') * (size << 20)\n"
        "    time.sleep(0.5)\n"
        "if __name__ == '__main__':\n"
        "    with ProcessPoolExecutor(1, mp_context=get_context('spawn')) as pool:\n"
        "        pool.submit(hold, 150).result()\n",
        encoding="utf-8",
    )

    peaks = measure([sys.executable, script]).peak_mib_by_process

    assert set(peaks) == {"main", "worker"}
    assert peaks["main"] < 100 < 150 < peaks["worker"]


@pytest.mark.parametrize(
    ("command", "kind"),
    [
        ("python -m dbt.cli.main build", "dbt"),
        ("/opt/venv/bin/python /opt/venv/bin/dbt --version", "dbt"),
        ("python -c from_multiprocessing.spawn spawn_main", "worker"),
        ("python -m sequen_dagster.cli.main run --home dbt", "main"),
        ("", "main"),
    ],
)
def test_kind_of_a_process(command: str, kind: str) -> None:
    assert process_kind(command.split()) == kind


def test_output_is_kept(tmp_path: Path) -> None:
    output = tmp_path / "log"

    usage = measure(
        [sys.executable, "-c", "import os; print(os.environ['GIVEN'])"],
        output=output,
        environment={"GIVEN": "seen"},
    )

    assert isinstance(usage, Usage)
    assert output.read_text(encoding="utf-8") == "seen\n"


def test_a_command_that_fails_is_an_error_with_what_it_said(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="ended with 3: what went wrong"):
        measure(
            [sys.executable, "-c", "print('what went wrong'); raise SystemExit(3)"],
            output=tmp_path / "log",
        )

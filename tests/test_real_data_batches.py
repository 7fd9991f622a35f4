"""Real event sets that arrive file by file, in either order: the tables equal a full refresh."""

import gzip
import json
import shutil
from pathlib import Path

import pytest

from sequen_dagster.marts.verify import verify
from sequen_dagster.operations.run import run_pipeline
from support.homes import settings_of
from support.oracle import Number
from support.replay import Build, Load, Recording, Step, shared_recording, wrong_rows

# What is right by a separate reading of the sets; see the README beside them.
SESSIONS = {"two_batch": 5, "ecommerce": 63, "ebnerd_test": 2_505, "online_retail": 19_969}
# Sets of more files come in groups: a run takes half a minute, most of it until dbt is up.
MAX_BATCHES = 3


def file_groups(files: list[Path]) -> list[list[Path]]:
    """One file at a time, or as many at a time as make `MAX_BATCHES` file groups."""
    size = -(-len(files) // MAX_BATCHES)
    return [files[start : start + size] for start in range(0, len(files), size)]


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Recording:
    return shared_recording(tmp_path_factory, worker_id)


def load_of(file: Path) -> Load:
    lines = gzip.decompress(file.read_bytes()).decode().splitlines()
    rows = (json.loads(line, parse_float=Number, parse_int=Number) for line in lines)
    return Load(file.name, tuple(rows))


@pytest.mark.slow
@pytest.mark.parametrize("newest_first", [True, False], ids=["newest first", "in name order"])
@pytest.mark.parametrize("name", SESSIONS)
def test_each_file_a_batch_of_its_own_gives_the_tables_of_one_load(
    test_data: Path, recording: Recording, name: str, newest_first: bool
) -> None:
    files = sorted((test_data / name).glob("*.jsonl.gz"), reverse=newest_first)
    steps: list[Step] = []
    for file in files:
        steps += [load_of(file), Build()]

    assert wrong_rows(recording, steps, every=len(steps)) == []


@pytest.mark.slow
@pytest.mark.parametrize("name", SESSIONS)
def test_files_that_arrive_newest_first_give_the_tables_of_one_load(
    test_data: Path, tmp_path: Path, name: str
) -> None:
    settings = settings_of(tmp_path)
    files = sorted((test_data / name).glob("*.jsonl.gz"), reverse=True)
    builds = []
    for file_group in file_groups(files):
        for file in file_group:
            shutil.copy2(file, settings.sources[0].exports)
        outcome = run_pipeline(settings)
        assert (outcome.failures, outcome.failed_checks) == ((), ())
        builds.append(outcome.build)

    verification = verify(settings)

    assert set(builds[1:]) == {"incremental build"}
    assert verification.differences == ()
    assert verification.commits == len(builds)
    assert outcome.summary["sessions"]["sessions"] == SESSIONS[name]

"""The promise of the incremental build: after any batches, the tables equal a full refresh.

Every table of every model, row for row, whatever came in which order, came again, was replaced by
a later version of its file, or met a build that broke off.
"""

import random
from collections.abc import Iterator
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, Phase, Verbosity, given, settings
from hypothesis import strategies as st

from support.bounds import NUMBERS, bounds_of, edge_rows, rules_with
from support.histories import (
    HISTORIES,
    Row,
    after,
    clicked,
    event,
    ordered,
    prefixed,
    purchase,
    random_history,
    shown,
    viewed,
    wide_history,
    with_custom_fields,
)
from support.mart_tables import RULES, accepted_of, differences, variables_of
from support.oracle import Number, marts
from support.replay import (
    Build,
    Load,
    Recording,
    SmallWarehouse,
    Step,
    follow,
    shared_recording,
    smallest,
    wrong_rows,
)

# Hypothesis warns of a failing plan that is long to print; as an error, the warning would hide what
# went wrong.
pytestmark = pytest.mark.filterwarnings("ignore:Generating overly large repr")


def plans_tried(count: int) -> settings:
    # A failing plan is made small and printed by `smallest`: hypothesis would need hours of builds.
    return settings(
        max_examples=count,
        deadline=None,
        phases=[Phase.explicit, Phase.reuse, Phase.generate],
        verbosity=Verbosity.quiet,
        suppress_health_check=list(HealthCheck),
    )


@pytest.fixture(scope="session")
def recording(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Recording:
    return shared_recording(tmp_path_factory, worker_id)


def assert_exact(recording: Recording, steps: list[Step], every: int = 1) -> None:
    wrong = wrong_rows(recording, steps, every=every)
    if wrong:
        small = smallest(steps, lambda fewer: bool(wrong_rows(recording, fewer)))
        raise AssertionError(
            "\n".join([*wrong, "The plan, made small, for CASES:", *map(repr, small)])
        )


@st.composite
def interruptions(draw: st.DrawFn, models: list[str]) -> Build:
    model = draw(st.sampled_from(models))
    return draw(st.sampled_from([Build(until=model), Build(failing=model)]))


def selections(models: list[str]) -> st.SearchStrategy[Build]:
    return st.frozensets(st.sampled_from(models), min_size=1).map(lambda some: Build(only=some))


@st.composite
def exports(draw: st.DrawFn, histories: int) -> list[Row]:
    """The records of histories made by hand and at random, each with ids of its own."""
    by_hand = draw(st.lists(st.sampled_from(sorted(HISTORIES)), unique=True, max_size=histories))
    seeds = draw(st.lists(st.integers(0, 2**32), min_size=histories // 2, max_size=histories))
    found = [
        *(HISTORIES[name] for name in by_hand),
        *(list(random_history(random.Random(seed))) for seed in seeds),
    ]
    dice = draw(st.randoms(use_true_random=True))
    rows = [
        with_custom_fields(dice, prefixed(row, f"{number}."))
        for number, history in enumerate(found)
        for row in history
    ]
    return [row if dice.random() < 0.97 else {**row, "original_timestamp": "no"} for row in rows]


@st.composite
def file_versions(draw: st.DrawFn, histories: int) -> list[Load]:
    """Files of an export, in versions that lose and change records, with records of other files."""
    rows = draw(exports(histories))
    dice = draw(st.randoms(use_true_random=True))
    paths = [f"f{number}" for number in range(draw(st.integers(2, 5)))]
    homes = [dice.choice(paths) for _ in rows]
    loads = []
    for path in paths:
        own = [row for row, home in zip(rows, homes, strict=True) if home == path]
        for version in range(1, draw(st.sampled_from([1, 1, 2, 3])) + 1):
            kept_share = draw(st.sampled_from([0.3, 0.7, 1.0, 1.0]))
            shared_elsewhere = draw(st.sampled_from([0.0, 0.0, 0.2]))
            kept = [row for row in own if dice.random() < kept_share]
            kept += [row for row in rows if dice.random() < shared_elsewhere]
            changed = [row if dice.random() < 0.95 else {**row, "x": "y"} for row in kept]
            source = "app" if path == "f1" else "default"
            loads.append(Load(path, tuple(changed), version, source))
    return loads


@st.composite
def plans(draw: st.DrawFn, models: list[str], histories: int, builds: int) -> list[Step]:
    """Versions of files in any order, and builds between them, some of which break off."""
    loads = draw(st.permutations(draw(file_versions(histories))))
    places = st.integers(1, len(loads) - 1)
    starts = sorted(draw(st.sets(places, min_size=1, max_size=builds - 1)) | {0})
    steps: list[Step] = []
    for start, end in zip(starts, [*starts[1:], len(loads)], strict=True):
        steps += loads[start:end]
        if steps.count(Build()):
            steps += draw(st.lists(interruptions(models), max_size=2))
            if end < len(loads) and draw(st.booleans()):
                continue
        steps.append(Build())
        # Of tables that are current, any may be built again.
        steps += draw(st.lists(selections(models), max_size=1))
    return steps if not isinstance(steps[-1], Load) else [*steps, Build()]


def assert_plans_are_exact(recording: Recording, count: int, histories: int, builds: int) -> None:
    @plans_tried(count)
    @given(steps=plans(recording.models, histories, builds))
    def holds(steps: list[Step]) -> None:
        assert_exact(recording, steps)

    holds()


@pytest.mark.fault(33, 41)
def test_tables_equal_a_full_refresh_after_every_build(recording: Recording) -> None:
    assert_plans_are_exact(recording, count=2, histories=6, builds=3)


@pytest.mark.fault(33, 41)
@pytest.mark.slow
def test_tables_equal_a_full_refresh_after_every_build_of_many(recording: Recording) -> None:
    assert_plans_are_exact(recording, count=10, histories=12, builds=6)


@pytest.mark.slow
def test_pairs_of_settings_at_random_equal_a_full_refresh_and_the_oracle(
    tmp_path_factory: pytest.TempPathFactory, worker_id: str
) -> None:
    marked = shared_recording(tmp_path_factory, worker_id)

    @plans_tried(12)
    @given(steps=plans(marked.models, histories=6, builds=4), dice=st.randoms())
    def holds(steps: list[Step], dice: random.Random) -> None:
        pair = dice.sample(sorted(NUMBERS), 2)
        chosen = {name: dice.choice(bounds_of(name)) for name in pair}
        rules = rules_with(chosen)
        recording = shared_recording(tmp_path_factory, worker_id, **variables_of(rules))
        edges = Load("edges", tuple(edge_rows(rules)))
        place = dice.randrange(len(steps))

        assert_exact(recording, [*steps[:place], edges, *steps[place:]])
        with SmallWarehouse(recording) as warehouse:
            [*_, loads] = follow(warehouse, [edges, *steps])

            expected = marts(accepted_of(loads), rules)
            assert (chosen, list(differences(warehouse.connection, expected))) == (chosen, [])

    holds()


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in RULES if name != "defaults"])
def test_tables_equal_a_full_refresh_under_other_settings(
    name: str, tmp_path_factory: pytest.TempPathFactory, worker_id: str
) -> None:
    recording = shared_recording(tmp_path_factory, worker_id, **variables_of(RULES[name]))

    assert_plans_are_exact(recording, count=2, histories=12, builds=6)


def small_batches(dice: random.Random, count: int) -> Iterator[Step]:
    """Many files of few events each; some replace the one before."""
    rows = list(wide_history(dice, count * 3))
    for number in range(count):
        events = tuple(rows.pop() for _ in range(min(len(rows), dice.randint(1, 5))))
        is_correction = number > 3 and dice.random() < 0.2
        path = f"f{dice.randrange(number)}" if is_correction else f"f{number}"
        yield Load(path, events, version=number)
        yield Build()


@plans_tried(1)
@given(dice=st.randoms(use_true_random=True))
def test_many_small_batches_add_up_to_a_full_refresh(
    recording: Recording, dice: random.Random
) -> None:
    assert_exact(recording, list(small_batches(dice, 6)), every=6)


@pytest.mark.slow
@plans_tried(1)
@given(dice=st.randoms(use_true_random=True))
def test_very_many_small_batches_add_up_to_a_full_refresh(
    recording: Recording, dice: random.Random
) -> None:
    assert_exact(recording, list(small_batches(dice, 30)), every=6)


@pytest.mark.fault(33)
@pytest.mark.parametrize(
    "name",
    [pytest.param(name, marks=[pytest.mark.slow] if name != "defaults" else []) for name in RULES],
)
def test_incremental_tables_equal_the_oracle(
    name: str, tmp_path_factory: pytest.TempPathFactory, worker_id: str
) -> None:
    variables = {} if name == "defaults" else variables_of(RULES[name])
    recording = shared_recording(tmp_path_factory, worker_id, **variables)

    @plans_tried(2 if name == "defaults" else 4)
    @given(steps=plans(recording.models, histories=12, builds=6))
    def holds(steps: list[Step]) -> None:
        with SmallWarehouse(recording) as warehouse:
            [*_, loads] = follow(warehouse, steps)
            expected = marts(accepted_of(loads), RULES[name])

            assert list(differences(warehouse.connection, expected)) == []

    holds()


def at_once(*loads: Load) -> list[Step]:
    return [*loads, Build()]


LOGIN = event(after(50), id="login", cid="c", uid="u")
FIRST_CLICK = clicked(after(1), id="k", cid="c", ingest_timestamp=after(5).isoformat())
KIOSK_SALE = (
    shown(after(61), id="i", cid="c", sid="s"),
    clicked(after(62), id="k", cid="c"),
    purchase(after(63), ["a"], id="v", cid="c", sid="s", order_total="1"),
)
SHARED_SALE = (
    clicked(after(31), id="k", sid="s", cid="c5"),
    purchase(after(32), ["a"], id="v", sid="s", order_total="1"),
)
CASES: dict[str, list[Step]] = {
    "a click comes again, the same to the letter, in a file that stays": [
        *at_once(Load("a", (shown(after(0), id="i", cid="c"), FIRST_CLICK))),
        *at_once(Load("b", (FIRST_CLICK,))),
        *at_once(Load("a", (shown(after(0), id="i", cid="c"),), version=2)),
        *at_once(Load("b", (), version=2)),
    ],
    "a late duplicate wins and moves its event to another day and visitor": [
        *at_once(Load("a", (shown(after(0), id="i", cid="c"), FIRST_CLICK))),
        *at_once(
            Load(
                "b",
                (clicked(after(days=1), id="k", cid="d", ingest_timestamp=after(0).isoformat()),),
            )
        ),
        *at_once(Load("b", (), version=2)),
    ],
    "a login re-keys a device from its first day on, and is taken back": [
        *at_once(
            Load(
                "a",
                (
                    viewed(after(0), id="p", cid="c"),
                    shown(after(1), id="i", cid="c", page_view_id="p"),
                    clicked(after(2), id="k", cid="c", sid="s"),
                    purchase(after(3), ["a"], id="b", cid="c", order_total="1"),
                ),
            )
        ),
        *at_once(Load("b", (LOGIN,))),
        *at_once(Load("c", (event(after(-9), id="earlier", cid="c", uid="v"),))),
        *at_once(Load("b", (), version=2)),
    ],
    "a page loses a field that events of another day count by": [
        *at_once(
            Load("a", (viewed(after(0), id="p", cid="c", page_url="x", lang="de"),)),
            Load("b", (event(after(days=2), id="e", cid="d", page_view_id="p"),)),
        ),
        *at_once(Load("a", (viewed(after(0), id="p", cid="c", lang="de"),), version=2)),
        *at_once(Load("a", (), version=3)),
    ],
    "a build breaks off half way, and what it began is taken back": [
        *at_once(Load("a", (shown(after(0), id="i", cid="c"), FIRST_CLICK))),
        Load("b", (LOGIN, purchase(after(9), ["a"], id="b", cid="c", order_total="1"))),
        Build(until="int_clicks_matched"),
        *at_once(Load("b", (), version=2)),
        Load("a", (FIRST_CLICK,), version=2),
        Build(failing="int_events_sessionized"),
        Build(until="fct_events"),
        *at_once(Load("a", (shown(after(0), id="i", cid="c"), FIRST_CLICK), version=3)),
    ],
    "a build breaks off late, and the event is as it was before": [
        *at_once(Load("a", (FIRST_CLICK,))),
        Load("a", ({**FIRST_CLICK, "click_type": "review"},), version=2),
        Build(until="rpt_completeness_daily"),
        *at_once(Load("a", (FIRST_CLICK,), version=3)),
    ],
    "a device passes the limit by a late batch, and falls under it by a correction": [
        *at_once(
            Load("a", tuple(event(after(n), id=f"l{n}", cid="c", uid=f"u{n}") for n in range(20))),
            Load("b", (viewed(after(60), id="p", cid="c", sid="s"), *KIOSK_SALE)),
        ),
        *at_once(Load("c", (event(after(-9), id="late", cid="c", uid="u20"),))),
        *at_once(Load("c", (event(after(-9), id="late", cid="c", uid="u7"),), version=2)),
    ],
    "a session id passes the limit by users, then by devices, and comes back": [
        *at_once(
            Load("a", tuple(event(after(n), id=f"l{n}", sid="s", cid=f"c{n}") for n in range(20))),
            Load("b", (event(after(30), id="login", sid="s", cid="c3", uid="u"), *SHARED_SALE)),
        ),
        *at_once(Load("c", (event(after(-9), id="late", sid="s", cid="c20"),))),
        *at_once(Load("c", (event(after(-9), id="late", sid="s", cid="c1"),), version=2)),
        *at_once(
            Load("d", tuple(event(after(n), id=f"m{n}", sid="s", uid=f"u{n}") for n in range(21)))
        ),
        *at_once(Load("d", (), version=2)),
    ],
    "the earlier of two equal orders arrives later, and goes again": [
        *at_once(Load("a", (clicked(after(0), id="k", cid="c"), ordered(after(9), "o", id="z")))),
        *at_once(
            Load("b", (ordered(after(5), Number("7"), id="y", cid="d"),)),
            Load("c", (ordered(after(5), "o", id="x", cid="d", sid="t"),), source="app"),
        ),
        *at_once(Load("d", (ordered(after(days=1), "7", id="w"), ordered(after(4), "o", id="v")))),
        *at_once(Load("c", (ordered(after(5), "p", id="x", cid="d", sid="t"),), version=2)),
        *at_once(Load("d", (ordered(after(6), "7", id="w"),), version=2)),
        *at_once(Load("a", (), version=2)),
    ],
    "an order that is sent again becomes another, by its currency alone": [
        *at_once(Load("a", (ordered(after(1), "o2", id="a", sid="s"),))),
        *at_once(Load("b", (ordered(after(2), "o2", id="b", sid="s"),))),
        *at_once(Load("a", (ordered(after(1), "o2", id="a", sid="s", currency="USD"),), version=2)),
        *at_once(Load("b", (ordered(after(2), "null", id="b", sid="s"),), version=2)),
    ],
    "an older version arrives after a newer one": [
        *at_once(Load("a", (FIRST_CLICK,), version=2)),
        *at_once(Load("a", (shown(after(0), id="i", cid="c"), FIRST_CLICK), version=1)),
    ],
    "the last event goes": [
        *at_once(Load("a", (FIRST_CLICK,))),
        *at_once(Load("a", (), version=2)),
        *at_once(Load("b", (FIRST_CLICK,))),
    ],
}


def side_by_side(cases: dict[str, list[Step]]) -> list[Step]:
    """The cases in one warehouse, build by build, with files and ids of their own."""
    waiting = [iter(case) for case in cases.values()]
    steps: list[Step] = []
    for _ in range(max(case.count(Build()) for case in cases.values())):
        for number, case in enumerate(waiting):
            for step in case:
                if isinstance(step, Build):
                    break
                events = tuple(prefixed(row, f"{number}.") for row in step.events)
                steps.append(replace(step, path=f"{number}{step.path}", events=events))
        steps.append(Build())
    return steps


def breaks_off(case: list[Step]) -> bool:
    return any(isinstance(step, Build) and not step.is_finished for step in case)


def test_known_cases_side_by_side_equal_a_full_refresh(recording: Recording) -> None:
    assert_exact(recording, side_by_side({k: v for k, v in CASES.items() if not breaks_off(v)}))


@pytest.mark.slow
@pytest.mark.parametrize("name", CASES)
def test_known_case_equals_a_full_refresh(recording: Recording, name: str) -> None:
    assert_exact(recording, CASES[name])

"""All runtimes go through all scenarios, and leave nothing behind."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator

import pytest

from fraiseql.testing.runtime_conformance import (
    SCENARIOS,
    AnyioRuntime,
    AsyncioRuntime,
    Runtime,
    Scenario,
    Suite,
    ThreadsRuntime,
    TrioRuntime,
    run,
)

RUNTIMES: dict[str, Callable[[], Runtime]] = {
    "asyncio": AsyncioRuntime,
    "anyio on asyncio": AnyioRuntime,
    "trio": TrioRuntime,
    "threads": ThreadsRuntime,
}
CASES = [
    pytest.param(name, scenario, id=f"{name}: {scenario}")
    for name, runtime in RUNTIMES.items()
    for scenario in SCENARIOS
    if scenario.needs <= runtime().provides
]


@pytest.fixture(scope="module")
def suites(new_database: Callable[[], str]) -> Iterator[Callable[[str], Suite]]:
    """The suite of a runtime, begun when it is first asked for."""
    begun: dict[str, Suite] = {}

    def suite(name: str) -> Suite:
        if name not in begun:
            begun[name] = Suite(RUNTIMES[name](), new_database(), patience=30)
        return begun[name]

    yield suite
    for one in begun.values():
        one.close()


@pytest.mark.parametrize(("name", "scenario"), CASES)
def test_a_runtime_serves_as_all_others_do(name: str, scenario: Scenario, suites: Callable[[str], Suite]) -> None:
    suites(name).run(scenario)


def test_what_a_runtime_cannot_do_is_known() -> None:
    everything = {str(scenario) for scenario in SCENARIOS}
    served = {name: {str(case.values[1]) for case in CASES if case.values[0] == name} for name in RUNTIMES}
    assert {name: everything - scenarios for name, scenarios in served.items()} == {
        "asyncio": set(),
        "anyio on asyncio": set(),
        "trio": set(),
        "threads": {
            "an asynchronous function in Python",
            "an asynchronous function that takes too long",
            "an asynchronous generator that never ends is ended with its client",
        },
    }


def test_a_scenario_that_a_runtime_cannot_serve_is_not_passed_over(new_database: Callable[[], str]) -> None:
    (scenario,) = [scenario for scenario in SCENARIOS if str(scenario) == "an asynchronous function in Python"]
    with pytest.raises(ValueError, match=r"needs asynchronous resolvers, which this runtime does not provide"):
        run(scenario, ThreadsRuntime(), new_database())


def test_each_scenario_has_a_name_of_its_own() -> None:
    assert [name for name, count in Counter(map(str, SCENARIOS)).items() if count > 1] == []

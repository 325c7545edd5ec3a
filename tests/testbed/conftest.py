"""Fixtures that boot kernels: one boot a kernel, whose session many tests ask."""

import json
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

import pytest

from tests.requirements import lacking
from tests.testbed import kernels, machine
from tests.testbed.inside import TIMED
from tests.testbed.kernels import DEFAULT_SUITE, SUITES, Kernel, TestbedError
from tests.testbed.machine import Result

OTHERS = [suite for suite in SUITES if suite != DEFAULT_SUITE]
SESSION_TIMEOUT = 1200  # seconds; an unloaded machine needs a fortieth


class Boot(Protocol):
    """Boots the kernel and runs a command inside; `machine.boot` says what the options are."""

    def __call__(self, command: list[str] | str, **options: Any) -> Result: ...


Findings = Callable[[str], Any]


@pytest.hookimpl(tryfirst=True)  # before `-m` selects
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark every test of this folder, whatever it says itself."""
    for item in items:
        if item.path.is_relative_to(Path(__file__).parent):
            item.add_marker(pytest.mark.testbed)


@pytest.fixture(
    scope="session",
    params=[
        DEFAULT_SUITE,
        *(pytest.param(suite, marks=pytest.mark.kernels) for suite in OTHERS),
    ],
)
def kernel(request: pytest.FixtureRequest) -> Kernel:
    """Return each kernel in turn: bookworm's, and under the mark `kernels` the others."""
    reason = machine.missing()
    if reason:
        lacking("testbed", reason)
    try:
        return kernels.fetch(request.param)
    except TestbedError as error:
        lacking("testbed", f"no kernel of {request.param}: {error}")


@pytest.fixture(scope="session")
def run_in_testbed(kernel: Kernel, tmp_path_factory: pytest.TempPathFactory) -> Boot:
    """Return a function that boots the kernel for one command; for what a session cannot do."""

    def run(command: list[str] | str, **options: Any) -> Result:
        share = options.pop("share", None) or tmp_path_factory.mktemp(kernel.suite)
        return machine.boot(kernel, command, share=share, **options)

    return run


@pytest.fixture(scope="session")
def findings(run_in_testbed: Boot, tmp_path_factory: pytest.TempPathFactory) -> Findings:
    """Boot the kernel once for the scenarios of `inside`; return results by scenario name."""
    return _session(run_in_testbed, tmp_path_factory.mktemp("session"))


@pytest.fixture(scope="session")
def timed_findings(run_in_testbed: Boot, tmp_path_factory: pytest.TempPathFactory) -> Findings:
    """Boot it once more, on a clock that counts instructions, for the timed scenarios."""
    return _session(run_in_testbed, tmp_path_factory.mktemp("timed"), *TIMED, icount=True)


def _session(run: Boot, share: Path, *names: str, icount: bool = False) -> Findings:
    command = f'"$PYTHON" -m tests.testbed.inside "$SHARE/outcomes.json" {shlex.join(names)}'
    run(command, share=share, timeout=SESSION_TIMEOUT, icount=icount).check()
    outcomes = json.loads((share / "outcomes.json").read_text())

    def find(scenario: str) -> Any:
        outcome = outcomes[scenario]
        if "error" in outcome:
            pytest.fail(f"inside, {scenario} raised:\n{outcome['error']}", pytrace=False)
        return outcome["result"]

    return find

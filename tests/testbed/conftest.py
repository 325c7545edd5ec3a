"""Fixtures that boot kernels: one boot for many scenarios, whose session many tests ask."""

import json
import shlex
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import pytest

from tests.requirements import lacking
from tests.testbed import kernels, vendors
from tests.testbed.hosts import HOSTS, SVM, VMX, Host, Session
from tests.testbed.kernels import DEFAULT_SUITE, SUITES, Kernel, TestbedError
from tests.testbed.machine import Result
from tests.testbed.vendors import Vendor

SESSION = {"timeout": 2400}  # seconds; an unloaded machine needs a fifth


@dataclass(frozen=True)
class Testbed:
    """A kernel on a host."""

    __test__ = False

    host: Host
    kernel: Kernel


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


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run a test on every kernel of its hosts: those its marker `hosts` names, or SVM."""
    if "testbed" in metafunc.fixturenames:
        marker = metafunc.definition.get_closest_marker("hosts")
        names = marker.args if marker else (SVM.name,)
        parameters = [each for name in names for each in _parameters(HOSTS[name])]
        metafunc.parametrize("testbed", parameters, indirect=True, scope="session")


def _parameters(host: Host) -> Iterator[Any]:
    for suite in SUITES:
        marks = [pytest.mark.vmx] if host is VMX else [pytest.mark.kernels]
        usual = host is SVM and suite == DEFAULT_SUITE
        yield pytest.param((host, suite), marks=[] if usual else marks, id=f"{host.name}-{suite}")


@pytest.fixture(scope="session")
def testbed(request: pytest.FixtureRequest) -> Testbed:
    """Return each kernel of each host in turn."""
    host, suite = request.param
    reason = host.missing()
    if reason:
        lacking(host.requirement, reason)
    try:
        return Testbed(host, kernels.fetch(suite))
    except TestbedError as error:
        lacking(host.requirement, f"no kernel of {suite}: {error}")


@pytest.fixture(scope="session")
def kernel(testbed: Testbed) -> Kernel:
    """Return the kernel that is booted."""
    return testbed.kernel


@pytest.fixture(scope="session")
def vendor(testbed: Testbed) -> Vendor:
    """Return what exits are called on this host."""
    return (vendors.svm if testbed.host is SVM else vendors.vmx)(testbed.kernel.release)


@pytest.fixture(scope="session")
def run_in_testbed(testbed: Testbed, tmp_path_factory: pytest.TempPathFactory) -> Boot:
    """Return a function that boots the kernel for one command; for what a session cannot do."""

    def run(command: list[str] | str, **options: Any) -> Result:
        share = options.pop("share", None) or tmp_path_factory.mktemp(testbed.kernel.suite)
        return testbed.host.boot(testbed.kernel, command, share=share, **options)

    return run


@pytest.fixture(scope="session")
def shares() -> dict[tuple[Any, ...], Path]:
    """Return the folders of the sessions that have run, by host, suite and scenarios."""
    return {}


@pytest.fixture(scope="session")
def findings(
    testbed: Testbed,
    run_in_testbed: Boot,
    shares: dict[tuple[Any, ...], Path],
    tmp_path_factory: pytest.TempPathFactory,
) -> Findings:
    """Return results of the scenarios of `inside`, by name; a session boots once, when asked."""

    def find(scenario: str) -> Any:
        session = testbed.host.session_of(scenario)
        assert session, f"{testbed.host.name} runs no scenario {scenario}"
        key = (testbed.host.name, testbed.kernel.suite, session.scenarios)
        if key not in shares:
            shares[key] = tmp_path_factory.mktemp("session")
            _run(session, run_in_testbed, shares[key])
        return _result(shares[key] / f"{scenario}.json")

    return find


def _run(session: Session, run: Boot, share: Path) -> None:
    command = f'"$PYTHON" -m tests.testbed.inside "$SHARE" {shlex.join(session.scenarios)}'
    run(command, share=share, **(SESSION | dict(session.options))).check()


def _result(outcome: Path) -> Any:
    if not outcome.exists():
        pytest.fail(f"the boot has left no {outcome.name}", pytrace=False)
    document = json.loads(outcome.read_text())
    if "error" in document:
        pytest.fail(f"inside, {outcome.stem} raised:\n{document['error']}", pytrace=False)
    return document["result"]

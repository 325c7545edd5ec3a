"""Fixtures that every kind of test may ask for."""

import os
import shutil
import signal

import pytest

from bpfexit.errors import BpfexitError
from bpfexit.host import preflight
from bpfexit.tracer.compiling import bcc_version
from tests.requirements import demanded, lacking


def pytest_configure() -> None:
    """Refuse unknown names in BPFEXIT_REQUIRE before any test runs.

    A shell may have started the tests with signals ignored, as in the background, and so
    would the commands be that tests end by these signals.
    """
    demanded()
    if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    if signal.getsignal(signal.SIGHUP) == signal.SIG_IGN:
        signal.signal(signal.SIGHUP, signal.SIG_DFL)


@pytest.fixture(scope="session")
def needs_root() -> None:
    if os.geteuid() != 0:
        lacking("root", f"this is user {os.geteuid()}")


@pytest.fixture(scope="session")
def needs_kvm() -> None:
    try:
        os.close(os.open("/dev/kvm", os.O_RDWR))
    except OSError as error:
        lacking("kvm", f"/dev/kvm: {error.strerror}")


@pytest.fixture(scope="session")
def needs_bpf() -> preflight.Ready:
    """Say where to attach, on a machine where bcc and the kernel allow it."""
    try:
        bcc_version()
        return preflight.ready()
    except BpfexitError as error:
        lacking("bpf", str(error))


@pytest.fixture(scope="session")
def promtool() -> str:
    return _program("promtool")


@pytest.fixture(scope="session")
def prometheus() -> str:
    return _program("prometheus")


def _program(name: str) -> str:
    found = shutil.which(name)
    if found is None:
        lacking("prometheus", f"{name} is not installed (Debian: prometheus)")
    return found

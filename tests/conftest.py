"""Fixtures that every kind of test may ask for."""

import os

import pytest

from bpfexit.errors import BpfexitError
from bpfexit.host import preflight
from bpfexit.tracer.source import binding_version
from tests.requirements import demanded, lacking


def pytest_configure() -> None:
    """Refuse unknown names in BPFEXIT_REQUIRE before any test runs."""
    demanded()


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
        binding_version()
        return preflight.ready()
    except BpfexitError as error:
        lacking("bpf", str(error))

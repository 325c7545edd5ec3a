"""What the tests on a real kernel need of this machine."""

import os

import pytest


@pytest.fixture(scope="session")
def kvm() -> None:
    """Skip where /dev/kvm cannot be opened; fail where BPFEXIT_REQUIRE says it must be there."""
    try:
        os.close(os.open("/dev/kvm", os.O_RDWR))
    except OSError as error:
        give_up = pytest.fail if "kvm" in os.environ.get("BPFEXIT_REQUIRE", "").split(",") else None
        (give_up or pytest.skip)(f"needs /dev/kvm: {error.strerror}")

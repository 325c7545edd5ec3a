"""Machines that a test can spoil."""

from pathlib import Path

import pytest

from tests.unit.fake_machine import Machine


@pytest.fixture
def intel(tmp_path: Path) -> Machine:
    return Machine(tmp_path, "kvm_intel")


@pytest.fixture
def pvm(tmp_path: Path) -> Machine:
    return Machine(tmp_path, "kvm_pvm")

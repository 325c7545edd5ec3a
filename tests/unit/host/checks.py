"""The checks of a machine by name."""

import pytest

from bpfexit.errors import BpfexitError
from bpfexit.host import preflight
from bpfexit.host.check import Check, Status
from tests.unit.fake_machine import Machine


def check(machine: Machine, name: str) -> Check:
    report = preflight.inspect(machine.root)
    return next(each for each in report.checks if each.name == name)


def bad(machine: Machine) -> dict[str, Status]:
    report = preflight.inspect(machine.root)
    return {each.name: each.status for each in report.checks if each.status is not Status.OK}


def refusal(machine: Machine) -> str:
    with pytest.raises(BpfexitError) as error:
        preflight.ready(machine.root)
    return str(error.value)

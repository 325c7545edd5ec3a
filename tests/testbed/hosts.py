"""The hosts that a fetched kernel can be booted as, and what each boot is for."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.testbed import bochs, inside, machine
from tests.testbed.machine import Result


@dataclass(frozen=True)
class Session:
    """Scenarios that share a boot."""

    scenarios: tuple[str, ...]
    options: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Host:
    """An emulated machine whose KVM has exits.

    `requirement` is its name in BPFEXIT_REQUIRE. `missing` returns what keeps it from running
    here. `boot` takes what `machine.boot` takes, as far as the host has it.
    """

    name: str
    requirement: str
    module: str
    missing: Callable[[], str | None]
    boot: Callable[..., Result]
    sessions: tuple[Session, ...]

    def session_of(self, scenario: str) -> Session | None:
        """Return the session that the scenario is in; None where this host does not run it."""
        return next((each for each in self.sessions if scenario in each.scenarios), None)


SVM = Host(
    name="svm",
    requirement="testbed",
    module="kvm_amd",
    missing=machine.missing,
    boot=machine.boot,
    sessions=(
        Session(tuple(inside.SCENARIOS)),
        Session(tuple(inside.TIMED), {"icount": True}),
        Session(tuple(inside.FLEET)),
        Session(tuple(inside.STARVED), {"swap_mib": 128}),
    ),
)

# One boot, on a clock that counts instructions anyway. Left out are what needs two CPUs, a real
# QEMU, whose firmware takes minutes, and what no vendor has a part in: half a minute each.
VMX = Host(
    name="vmx",
    requirement="vmx",
    module="kvm_intel",
    missing=bochs.missing,
    boot=bochs.boot,
    sessions=(
        Session(
            (
                *("machine", "ftrace", "primes", "one_by_one", "borders"),
                *("by_reason", "named", "own_cost"),
                *inside.INTEL,
            ),
            {"timeout": 3000},
        ),
    ),
)

HOSTS = {host.name: host for host in (SVM, VMX)}

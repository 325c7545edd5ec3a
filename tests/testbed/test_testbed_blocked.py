"""Blocked time on a real `kvm_amd`: each sleep of the VMM, as ftrace saw it."""

from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.counting import tids
from tests.ftrace import Event
from tests.ftrace import recorded as traced
from tests.testbed.comparing import PAGE_TURN, check_exact, of
from tests.testbed.conftest import Findings
from tests.testbed.times import BLOCKED_US
from tests.testbed.vendors import Vendor

PREEMPTED = 0x100
"""In prev_state: the thread would go on. In some kernels a flag of another state."""

NS = ("total_ns", "wait_ns", "blocked_ns", "user_ns", "user_wait_ns", "user_blocked_ns")


@dataclass(frozen=True)
class Sleep:
    """A sleep of the vCPU's thread: from when it left the CPU to its wake-up, ns."""

    begin: int
    end: int
    in_user_space: bool


@pytest.fixture(scope="session")
def blocked(findings: Findings) -> Any:
    found = findings("blocked")
    if "refused" in found:
        assert found["refused"].startswith("1 ")
        assert "--blocked: this kernel does not report how long a thread waits" in found["refused"]
        pytest.skip("this kernel does not report how long a thread waits for a CPU")
    return found


def sums(found: Any, *, idle: bool | None = None) -> Counter[str]:
    """Add up the times of rows: of all, or of those that are HLT, or of the others."""
    total: Counter[str] = Counter()
    for row in of(found).rows:
        if idle in (None, row["reason"] == "hlt"):
            total.update({name: row[name] or 0 for name in NS})
    return total


def sleeps(found: Any) -> list[Sleep]:
    """Return what ftrace saw of the thread's sleeps in exits that have ended."""
    (tid,) = tids(found["guest"])
    seen: list[Sleep] = []
    within: list[Sleep] = []  # the exit in progress
    in_exit = in_user = False
    began = 0
    for event in traced(Path(found["trace"])):
        if event.tid == tid and event.name == "kvm_exit":
            within, in_exit, in_user = [], True, False
        elif event.tid == tid and event.name == "kvm_entry":
            seen += within
            within, in_exit = [], False
        elif event.tid == tid and event.name == "kvm_fpu":
            in_user = not event.fields["load"]
        elif in_exit and _leaves(event, tid):
            began = event.ns
        elif began and event.name == "sched_wakeup" and event.fields["pid"] == tid:
            within.append(Sleep(began, event.ns, in_user))
            began = 0
    return seen


def _leaves(event: Event, tid: int) -> bool:
    is_own = event.name == "sched_switch" and event.fields["prev_pid"] == tid
    return is_own and event.fields["prev_state"] not in (0, PREEMPTED)


def slept(found: Any, *, in_user_space: bool) -> int:
    return sum(
        each.end - each.begin for each in sleeps(found) if each.in_user_space is in_user_space
    )


def test_each_exit_is_counted_once(blocked: Any, vendor: Vendor) -> None:
    check_exact(of(blocked), vendor)
    assert all(each["has_blocked"] for each in blocked["snapshots"])


def test_time_in_user_space_is_blocked_as_long_as_ftrace_saw_it_asleep(blocked: Any) -> None:
    found = sleeps(blocked)
    served = sum(each["count"] for each in of(blocked).operations() if each["op"].endswith("user"))
    in_user = [each for each in found if each.in_user_space]
    assert len(in_user) >= served > 0
    ours, truth = sums(blocked)["user_blocked_ns"], slept(blocked, in_user_space=True)
    assert truth > served * (BLOCKED_US * 1000 - PAGE_TURN)
    assert ours == pytest.approx(truth, abs=len(in_user) * PAGE_TURN)


def test_time_in_the_kernel_is_blocked_in_halts(blocked: Any) -> None:
    """An unloaded guest sleeps in KVM where it halts."""
    found = [each for each in sleeps(blocked) if not each.in_user_space]
    assert found
    of_all = sums(blocked)
    ours = of_all["blocked_ns"] - of_all["user_blocked_ns"]
    truth = slept(blocked, in_user_space=False)
    assert ours == pytest.approx(truth, abs=len(found) * PAGE_TURN)
    others = sums(blocked, idle=False)
    assert others["blocked_ns"] - others["user_blocked_ns"] < others["user_blocked_ns"] / 100


def test_the_parts_of_user_space_add_up_to_the_scheduler_s_account(blocked: Any) -> None:
    """What is neither waiting nor blocked was on a CPU, and no more than the thread ever was."""
    (before, after) = blocked["schedstat"]
    on_cpu, waited = (late - early for early, late in zip(before, after, strict=True))
    total = sums(blocked)
    rest = total["user_ns"] - total["user_wait_ns"] - total["user_blocked_ns"]
    assert 0 < rest < on_cpu
    assert 0 < total["user_wait_ns"] <= total["wait_ns"] <= waited
    in_exits = total["total_ns"] - total["wait_ns"] - total["blocked_ns"]
    assert rest < in_exits < on_cpu

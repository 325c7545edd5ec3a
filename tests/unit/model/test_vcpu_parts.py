"""The time of a vCPU has five parts, which add up to all of it whatever it is doing."""

from typing import Any

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from bpfexit.model.vcpu_parts import PARTS, VcpuTime, parts_so_far
from tests.unit import wire

VCPU = wire.struct("vcpu")


def vcpu(**counters: int) -> Any:
    found = np.zeros(1, VCPU)
    found["owner"] = found["task"] = 1
    for name, value in ({"seen_ns": 1000} | counters).items():
        found[name] = np.int64(value).astype(np.uint64)
    return found


def parts(of: Any, now_ns: int, idle: bool = False) -> dict[str, int]:
    (found,) = parts_so_far(of, now_ns, np.array([idle])).tolist()
    return dict(zip(PARTS, found, strict=True))


def test_a_vcpu_in_the_guest_is_there_since_its_entry() -> None:
    found = parts(vcpu(guest_ns=300 - 4000, guest_wait_ns=20, wait_ns=7), 4500)
    assert found == {"guest_ns": 780, "kvm_ns": 2693, "user_ns": 0, "wait_ns": 27, "idle_ns": 0}


def test_an_exit_in_flight_counts_where_it_is() -> None:
    there = vcpu(guest_ns=300, exit_ns=4000, user_ns=50, user_wait_ns=10, user_since=4200)
    assert parts(there, 4500)["user_ns"] == 340
    assert parts(there, 4500)["kvm_ns"] == 3500 - 300 - 340
    assert parts(there, 4500, idle=True)["idle_ns"] == 500
    assert parts(there, 4500, idle=True)["user_ns"] == 0


def test_a_thread_that_has_ended_has_no_time_after_its_end() -> None:
    assert sum(parts(vcpu(guest_ns=300, exit_ns=4000, end_ns=4400), 9000).values()) == 3400


def test_a_vcpu_that_was_not_seen_has_no_time() -> None:
    assert sum(parts(vcpu(seen_ns=0), 9000).values()) == 0


@given(st.lists(st.integers(0, 10**6), min_size=8, max_size=8), st.booleans(), st.booleans())
def test_the_parts_always_add_up(values: list[int], in_guest: bool, idle: bool) -> None:
    guest, *others = values
    names = ("guest_wait_ns", "wait_ns", "idle_ns", "busy_user_ns", "user_ns", "exit_ns", "end_ns")
    of = vcpu(guest_ns=guest - (10**7 if in_guest else 0), **dict(zip(names, others, strict=True)))
    until = int(of["end_ns"][0]) or 2 * 10**7
    assert sum(parts(of, 2 * 10**7, idle).values()) == until - 1000


def test_shares_are_all_of_the_time_and_none_is_negative() -> None:
    shares = VcpuTime(guest=60, kvm=-5, user=20, wait=20, idle=0).shares
    assert vars(shares) == {"guest": 0.6, "kvm": 0.0, "user": 0.2, "wait": 0.2, "idle": 0.0}

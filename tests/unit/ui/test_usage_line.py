"""The line on what one guest takes of its host."""

from dataclasses import replace

from bpfexit.model.usage import GuestUsage, HostUsage, Quota, Role, ThreadTimes
from bpfexit.ui.header import header
from bpfexit.ui.usage import usage_line
from tests.unit.builders import Exits, snapshot
from tests.unit.ui.shown import rendered

S = 10**9
GUEST = GuestUsage(
    "alpha",
    100,
    2.0,
    (
        ThreadTimes(Role.VCPU, 2, 3 * S, S),
        ThreadTimes(Role.EMULATOR, 3, S // 10, 0),
        ThreadTimes(Role.IOTHREAD, 1, S, S // 2),
    ),
    resident_bytes=3 << 30,
    swapped_bytes=1 << 30,
    nodes=((0, 1 << 30), (1, 2 << 30)),
    quotas=(Quota("/a", 1.5, 2, S),),
)


def test_it_has_the_times_of_the_threads_and_the_memory() -> None:
    assert usage_line(GUEST).plain == (
        "CPU: vCPUs 150.0% (waiting 25.0%), emulator 5.0%, iothreads 50.0% (waiting 25.0%), "
        "throttled 50.0%; memory 3.00GiB (node 0 1.00GiB, node 1 2.00GiB), 1.00GiB in swap"
    )


def test_what_the_kernel_does_not_count_is_unknown() -> None:
    unknown = replace(GUEST, threads=(ThreadTimes(Role.VCPU, 2, None, None),), quotas=None)
    assert usage_line(unknown).plain.startswith("CPU: vCPUs unknown; memory")
    assert usage_line(GuestUsage("alpha", 100)).plain == "CPU: unknown"


def test_it_is_above_the_exits_of_one_guest_alone() -> None:
    one = replace(snapshot(Exits(no_latency=1)), usage=HostUsage((GUEST,)))
    assert "CPU: vCPUs 150.0%" in "\n".join(rendered(header(one)))
    both = replace(one, usage=HostUsage((GUEST, replace(GUEST, pid=101))))
    assert "CPU: vCPUs" not in "\n".join(rendered(header(both)))

"""A guest without enough CPU or memory: which of the causes it is, and its twins."""

from collections import Counter
from dataclasses import replace
from typing import Any

import pytest

from bpfexit.advice import cpu_sets
from bpfexit.advice.diagnosis import diagnose
from bpfexit.advice.finding import Confidence, CostOf, Finding
from bpfexit.advice.starvation import Cause, Starvation
from bpfexit.model.snapshot import Snapshot
from bpfexit.model.usage import Allowed, GuestUsage, HostUsage, Quota, Role, ThreadTimes
from bpfexit.ui.diagnosis import diagnosis
from tests.unit.advice.cases import PVM, SVM, VMX, seen
from tests.unit.advice.recordings import causes, diagnosed, fixes, found
from tests.unit.builders import Exits, with_parts
from tests.unit.ui.shown import rendered

S = 10**9
WAITS = 600_000_000
PATH = "/machine.slice/web.scope/libvirt/vcpu0"


def usage(*quotas: Quota, **about: Any) -> GuestUsage:
    threads = (ThreadTimes(Role.VCPU, 1, 400_000_000, WAITS),)
    known: dict[str, Any] = {"threads": threads, "quotas": quotas, "seconds": 1.0}
    return GuestUsage("alpha", 100, **known | about)


def quota(throttled_ns: int | None) -> Quota:
    return Quota(PATH, 0.5, 1, throttled_ns)


def starved(of: GuestUsage | None, wait_ns: int = WAITS, **about: Any) -> Snapshot:
    """Return a guest of one vCPU that waits, mostly where it runs, and does nothing unusual."""
    exits = Exits("CPUID", ns=(2000,) * 100, wait_ns=1)
    host = HostUsage((of,), 0) if of else HostUsage()
    one = seen(exits, cpus=about.pop("cpus", 8), usage=host, **about)
    return with_parts(one, S - wait_ns, 0, 0, wait_ns, 0)


def finding(of: Snapshot) -> Finding:
    return found(of)["cpu-starved"]


def test_a_quota_and_its_twin_a_busy_cpu_are_told_apart() -> None:
    stopped, busy = finding(starved(usage(quota(580_000_000)))), finding(starved(usage(quota(0))))
    for one in (stopped, busy):
        assert (one.cost, one.share, one.cost_of) == (WAITS, 0.6, CostOf.WAITING)
        assert "vCPU 0 waits for a CPU 60.0% of its time" in one.advice.rationale
    assert "a CPU quota stops them" in stopped.advice.title
    assert "other threads" not in stopped.advice.title
    assert PATH in fixes(stopped)
    assert "vcpu_quota=-1" in fixes(stopped)
    assert stopped.advice.confidence is Confidence.HIGH
    assert stopped.advice.candidates == ()
    assert any("throttled 580ms per second" in line for line in stopped.advice.context)
    assert busy.advice.title.endswith("other threads run on theirs")
    assert "cpu.stat" not in busy.advice.rationale
    assert not any("quota" in each.cause for each in busy.advice.candidates)


def test_without_a_quota_other_threads_have_the_cpu() -> None:
    busy = finding(starved(usage()))
    assert busy.advice.title.endswith("other threads run on theirs")
    assert "quota" not in fixes(busy)
    assert "weight" in causes(busy)
    assert busy.advice.confidence is Confidence.MEDIUM


def test_a_quota_and_a_busy_cpu_are_both_named() -> None:
    both = finding(starved(usage(quota(200_000_000))))
    assert "a CPU quota stops them, and other threads" in both.advice.title
    assert PATH in fixes(both)
    assert "move other threads" in fixes(both)


@pytest.mark.parametrize("of", [None, usage(quota(None)), usage(quotas=None)])
def test_what_is_not_known_is_named_with_what_would_decide(of: GuestUsage | None) -> None:
    unknown = finding(starved(of))
    assert unknown.advice.title == "The vCPUs wait for a CPU"
    assert "CPU quota" in causes(unknown)
    assert "other threads" in causes(unknown)
    decides = " ".join(each.decided_by for each in unknown.advice.candidates)
    assert "cpu.stat" in decides
    assert "schedstat" in decides


def test_a_recording_that_knows_of_no_quota_does_not_name_one() -> None:
    free = finding(starved(None, guest={"cpu_quota": 0.0}))
    assert free.advice.title.endswith("other threads run on theirs")


@pytest.mark.parametrize(("wait_ns", "rules"), [(49_000_000, []), (50_000_000, ["cpu-starved"])])
def test_a_guest_waits_a_little_on_any_busy_host(wait_ns: int, rules: list[str]) -> None:
    assert [*found(starved(usage(), wait_ns))] == rules


def test_exits_that_only_wait_are_no_second_finding() -> None:
    slow = Exits("EXTERNAL_INTERRUPT", ns=(50_000_000,) * 10, wait_ns=450_000_000)
    (one,) = found(seen(slow, usage=HostUsage((usage(quota(440_000_000)),)))).values()
    assert one.rule == "cpu-starved"
    assert one.exits.count == 10
    assert "90.0% of the time of these exits" in one.advice.context[0]


@pytest.mark.parametrize("backend", [PVM, SVM])
def test_where_events_do_not_measure_it_the_scheduler_does(backend: str) -> None:
    exits = Exits(None if backend == PVM else "cpuid", no_latency=10)
    of = seen(exits, backend=backend, usage=HostUsage((usage(quota(590_000_000)),)), cpus=8)
    one = finding(of)
    assert (one.cost, one.share) == (WAITS, 0.6)
    assert "the vCPUs wait for a CPU 60.0% of their time" in one.advice.rationale
    assert "a CPU quota stops them" in one.advice.title


def test_slow_exits_are_the_waiting_where_only_the_scheduler_measures_it() -> None:
    slow = Exits("interrupt", ns=(50_000_000,) * 10)
    of = seen(slow, backend=SVM, kernel="5.10.0", usage=HostUsage((usage(),)), cpus=8)
    assert [*found(of)] == ["cpu-starved"]
    little = usage(threads=(ThreadTimes(Role.VCPU, 1, 0, 60_000_000),))
    asleep = seen(slow, backend=SVM, kernel="5.10.0", usage=HostUsage((little,)), cpus=8)
    assert [*found(asleep)] == ["slow-exits", "cpu-starved"]


def test_vcpus_that_share_cpus_are_certain_to_lack_them() -> None:
    crowded = usage(allowed=(Allowed("2-3", 4),))
    one = finding(starved(crowded))
    assert "4 vCPUs may run on CPUs 2-3 only" in one.advice.rationale
    assert one.advice.confidence is Confidence.HIGH
    pinned = usage(allowed=tuple(Allowed(str(cpu), 1) for cpu in range(4)))
    assert "may run on" not in finding(starved(pinned)).advice.rationale


def test_pinned_vcpus_lack_no_cpu_however_many_run_on_the_host() -> None:
    pinned = usage(threads=(), allowed=(Allowed("0", 1),))
    rows = [Exits("PAUSE_INSTRUCTION", ns=(3000,) * 9000, tid=tid) for tid in (101, 102, 103)]
    of = seen(*rows, cpus=2, usage=HostUsage((pinned,)))
    assert "spin for longer" in found(of)["pause"].advice.title
    free = replace(of, usage=HostUsage((usage(threads=(), allowed=(Allowed("0-1", 3),)),)))
    assert "holder is not running" in found(free)["pause"].advice.title


@pytest.mark.parametrize(
    ("own", "other", "host", "crowd"),
    [
        ({"0-3": 4}, {}, 8, None),
        ({"0-3": 5}, {}, 8, ("0-3", 5, 5)),
        ({"0-3": 4}, {"0-1": 2}, 8, ("0-3", 6, 4)),
        ({"0-1": 2}, {"0-3": 4}, 8, ("0-3", 6, 2)),
        ({"0-1": 2}, {"2-3": 9}, 8, None),
        ({"0-1": 2}, {"1-2": 9}, 8, None),
        ({"0-127": 9}, {}, 8, ("0-127", 9, 9)),
        ({"0-127": 8}, {}, 0, None),
        ({"0": 1, "1": 1}, {"0": 1}, 8, ("0", 2, 1)),
    ],
)
def test_a_crowd_is_more_threads_than_cpus_which_have_no_other(
    own: dict[str, int],
    other: dict[str, int],
    host: int,
    crowd: tuple[str, int, int] | None,
) -> None:
    every = Counter(own) + Counter(other)
    found = cpu_sets.crowd(own, every, host)
    assert (found and (found.cpus, found.vcpus, found.own)) == crowd


@pytest.mark.parametrize(
    "text", ["", "x", "-1", "1-", "3-x", "0-99999999999", "0,,1", "\u0661", "0-65535", "1 2"]
)
def test_no_list_of_cpus(text: str) -> None:
    assert cpu_sets.cpu_set(text) is None


def test_lists_of_cpus() -> None:
    assert cpu_sets.cpu_set("0-2,8") == frozenset((0, 1, 2, 8))


FAULT = Exits("EPT_VIOLATION", ns=(3_000_000,) * 200)
SWAP: dict[str, Any] = {"swap_bytes": 8 << 30, "swap_used_bytes": 1 << 30}


def swapping(pages: int | None, faults: int | None, *, swapped: int = 1 << 29, **about: Any) -> Any:
    of = usage(threads=(), major_faults=faults, swapped_bytes=swapped, resident_bytes=1 << 30)
    return seen(FAULT, usage=HostUsage((of,), pages), **SWAP, **about)


@pytest.mark.parametrize(("pages", "faults"), [(200, 190), (1600, 200)])
def test_memory_that_is_swapped_in_while_the_guest_waits(pages: int, faults: int) -> None:
    (one,) = found(swapping(pages, faults)).values()
    assert one.rule == "swapped-memory"
    assert one.advice.title.startswith("The guest's memory is swapped out")
    assert one.advice.confidence is Confidence.HIGH
    assert one.share == 0.6
    assert "512MiB of the guest's memory are in swap" in one.advice.context
    assert one.advice.candidates == ()


def test_faults_on_a_slow_host_are_long_only_beside_the_longest() -> None:
    mixed = Exits("EPT_VIOLATION", ns=(100_000,) * 400 + (3_000_000,) * 200)
    of = replace(seen(mixed, **SWAP), usage=swapping(200, 190).usage)
    (one,) = found(of).values()
    assert (one.rule, one.advice.confidence) == ("swapped-memory", Confidence.HIGH)
    assert "200 faults/s" in one.advice.rationale


@pytest.mark.parametrize("faults", [0, None])
def test_pages_that_may_be_another_process_are_named(faults: int | None) -> None:
    """The kernel counts asynchronous page faults for no process."""
    (one,) = found(swapping(200, faults)).values()
    assert one.advice.confidence is Confidence.MEDIUM
    assert "another process's or guest's" in causes(one)
    assert "majflt" in one.advice.candidates[0].decided_by


def test_its_twin_waits_for_pages_from_elsewhere() -> None:
    (one,) = found(swapping(0, 0)).values()
    assert one.rule == "memory-faults"
    assert "swapped" not in causes(one)
    assert "userfaultfd" in causes(one)
    assert any("no page was swapped in" in line for line in one.advice.context)


def test_shared_memory_in_swap_shows_in_the_faults_alone() -> None:
    (one,) = found(swapping(200, 190, swapped=0)).values()
    assert (one.rule, one.advice.confidence) == ("swapped-memory", Confidence.MEDIUM)
    assert "a file's" in causes(one)


@pytest.mark.parametrize(("pages", "swapped"), [(None, 1 << 29), (200, 0)])
def test_what_the_counters_do_not_tell_stays_a_candidate(pages: int | None, swapped: int) -> None:
    (one,) = found(swapping(pages, None, swapped=swapped)).values()
    assert one.rule == "memory-faults"
    assert "swapped the guest's memory out" in causes(one)
    assert "userfaultfd" in causes(one)


def test_faults_that_wait_for_a_cpu_are_no_swap() -> None:
    waits = replace(FAULT, wait_ns=590_000_000)
    of = swapping(200, 200)
    of = replace(seen(waits, **SWAP), usage=of.usage)
    assert [*found(of)] == ["cpu-starved"]


def test_fast_faults_are_no_swap_whatever_the_host_swaps() -> None:
    fast = Exits("EPT_VIOLATION", ns=(4_000,) * 40_000)
    of = replace(seen(fast, **SWAP), usage=swapping(200, 200).usage)
    assert "swapped-memory" not in found(of)


def test_without_exit_events_swapping_is_said_with_less_certainty() -> None:
    of = seen(Exits(None, no_latency=9), backend=PVM, usage=swapping(200, 200).usage, **SWAP)
    one = found(of)["swapped-memory"]
    assert one.advice.confidence is Confidence.MEDIUM
    assert "not measured" in one.advice.rationale


def test_the_cause_needs_the_share_of_quotas() -> None:
    shares = {0.0: Cause.CROWD, 0.049: Cause.CROWD, 0.05: Cause.BOTH, 0.5: Cause.QUOTA}
    for throttled, cause in shares.items():
        assert Starvation(1.0, 0.5, "vCPU 0", throttled).cause is cause
    assert Starvation(1.0, 0.5, "vCPU 0", float("nan")).cause is Cause.UNKNOWN


@pytest.mark.parametrize("manager", ["libvirt", "proxmox", "openstack", "kubevirt", ""])
def test_a_quota_is_raised_where_the_guest_is_managed(manager: str) -> None:
    told = fixes(finding(starved(usage(quota(S)), guest={"manager": manager})))
    assert ("virsh schedinfo" in told) == (manager in ("libvirt", ""))
    assert ("cpulimit" in told) == (manager == "proxmox")
    assert ("quota:cpu_quota" in told) == (manager == "openstack")
    assert ("limits.cpu" in told) == (manager == "kubevirt")


def test_a_hostile_cgroup_does_no_harm_to_a_terminal() -> None:
    path = "/a\x1b[2J\u202e[bold]"
    of = starved(usage(Quota(path, 0.5, 1, S)))
    shown = "\n".join(rendered(diagnosis(diagnose(of)), 200))
    assert path in finding(of).advice.rationale
    assert "cpu-starved" in shown
    assert "\x1b" not in shown
    assert "\u202e" not in shown
    assert "[bold]" in shown


def test_the_line_of_time_shows_the_waiting() -> None:
    (time,) = diagnosed(starved(usage(), backend=VMX)).vcpus
    assert time.wait == WAITS

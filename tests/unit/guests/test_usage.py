"""What guests take of their host, from a root of their own: times, memory, quotas, nodes."""

import os
import shutil
from collections.abc import Iterator
from math import isnan
from pathlib import Path

import pytest

from bpfexit.guests import process_usage
from bpfexit.guests.usage import UsageReader
from bpfexit.model.guest import Identity
from bpfexit.model.usage import Allowed, GuestUsage, Quota, Role
from tests.unit.fake_processes import put
from tests.unit.guests.fake_usage import put_file, put_process, put_thread

PID = 4711
GUEST = Identity(PID, 0)
CG = "sys/fs/cgroup"


def read(reader: UsageReader, *vcpus: int) -> GuestUsage:
    (usage,) = reader.read({GUEST: ("web", vcpus)}).guests
    return usage


def times(usage: GuestUsage) -> dict[str, tuple[int, int | None, int | None]]:
    return {each.role.value: (each.threads, each.cpu_ns, each.wait_ns) for each in usage.threads}


OPENED: list[UsageReader] = []


def reading(root: Path) -> UsageReader:
    """Return a reader, which is closed after the test."""
    OPENED.append(UsageReader(root))
    return OPENED[-1]


@pytest.fixture(autouse=True)
def _closing() -> Iterator[None]:
    yield
    while OPENED:
        OPENED.pop().close()


@pytest.fixture
def root(tmp_path: Path) -> Path:
    put_process(tmp_path, PID)
    return tmp_path


def test_times_are_those_between_two_readings_by_role(root: Path) -> None:
    threads = {
        PID: "qemu-system-x86",
        10: "CPU 0/KVM",
        11: "CPU 1/KVM",
        12: "IO iothread1",
        13: f"vhost-{PID}",
        14: "worker",
    }
    for tid, name in threads.items():
        put_thread(root, PID, tid, name, "1009 1013 7")
    reader = reading(root)
    first = read(reader)
    assert first.seconds == 0
    assert all(cpu is None for _, cpu, _ in times(first).values())
    for number, tid in enumerate(threads, 1):
        put_thread(root, PID, tid, threads[tid], f"{1009 + 17 * number} {1013 + 19 * number} 8")
    second = read(reader)
    assert second.seconds > 0
    assert times(second) == {
        "vcpu": (2, 17 * 5, 19 * 5),
        "iothread": (1, 17 * 4, 19 * 4),
        "emulator": (2, 17 * 7, 19 * 7),
        "vhost": (1, 17 * 5, 19 * 5),
    }


def test_a_thread_that_begins_counts_from_its_beginning_and_one_that_ends_no_more(
    root: Path,
) -> None:
    put_thread(root, PID, PID, "qemu", "100 0 1")
    put_thread(root, PID, 10, "CPU 0/KVM", "100 0 1")
    reader = reading(root)
    read(reader)
    shutil.rmtree(root / f"proc/{PID}/task/10")
    put_thread(root, PID, 11, "CPU 0/KVM", "31 7 1")
    assert times(read(reader)) == {"vcpu": (1, 31, 7), "emulator": (1, 0, 0)}


def test_a_vcpu_is_known_by_its_thread_where_threads_have_no_names(root: Path) -> None:
    for tid in (PID, 10, 11):
        put_thread(root, PID, tid, "qemu", "1 1 1")
    reader = reading(root)
    reader.begin(GUEST)  # nobody knows the threads of its vCPUs yet
    put_thread(root, PID, 10, "qemu", "1 43 2")
    assert times(read(reader, 10)) == {"vcpu": (1, 0, 42), "emulator": (2, 0, 0)}


def test_without_schedstats_times_are_unknown_and_not_0(root: Path) -> None:
    put_thread(root, PID, PID, "qemu")
    put_thread(root, PID, 10, "CPU 0/KVM")
    reader = reading(root)
    read(reader)
    usage = read(reader)
    assert times(usage) == {"vcpu": (1, None, None), "emulator": (1, None, None)}
    assert isnan(usage.cpu(Role.VCPU))
    (root / f"proc/{PID}/task/10/schedstat").unlink()
    assert times(read(reader))["vcpu"] == (1, None, None)


def test_kernel_threads_of_vhost_belong_to_their_guest(root: Path) -> None:
    put_thread(root, PID, PID, "qemu", "1 1 1")
    put_file(root, "proc/2/comm", "kthreadd\n")
    put_file(root, "proc/2/task/2/children", "50 51 52 ")
    for pid, name, counts in ((50, f"vhost-{PID}", "5 5 5"), (51, "vhost-9", "1 1 1")):
        put_file(root, f"proc/{pid}/comm", f"{name}\n")
        put_thread(root, pid, pid, name, counts)
    reader = reading(root)
    read(reader)
    put_thread(root, 50, 50, f"vhost-{PID}", "28 10 6")
    assert times(read(reader)) == {"emulator": (1, 0, 0), "vhost": (1, 23, 5)}


def test_memory_and_faults(root: Path) -> None:
    put_thread(root, PID, PID, "qemu", "1 1 1")
    memory = "VmRSS:\t    1000 kB\nHugetlbPages:\t  24 kB\nVmSwap:\t  256 kB\n"
    put_process(root, PID, memory, major_faults=100)
    put_file(root, "proc/vmstat", "pgpgin 1\npswpin 31\npswpout 1\n")
    reader = reading(root)
    first = read(reader)
    assert (first.resident_bytes, first.swapped_bytes) == (1024 << 10, 256 << 10)
    assert first.swapped == 0.2
    assert first.major_faults is None
    put_process(root, PID, memory, major_faults=137)
    put_file(root, "proc/vmstat", "pswpin 72\n")
    host = reader.read({GUEST: ("web", ())})
    assert host.swapped_in == 41
    assert host.guests[0].major_faults == 37


def test_unknown_memory_is_not_0(root: Path) -> None:
    put_thread(root, PID, PID, "qemu", "1 1 1")
    host = reading(root).read({GUEST: ("web", ())})
    assert host.swapped_in is None
    assert (host.guests[0].resident_bytes, host.guests[0].swapped_bytes) == (None, None)
    assert isnan(host.guests[0].swapped)


@pytest.mark.parametrize("version", [1, 2])
def test_the_quota_of_a_vcpus_cgroup_and_those_above_it(root: Path, version: int) -> None:
    def put(folder: str, limit: str, throttled_us: int) -> None:
        if version == 2:
            put_file(root, f"{CG}/{folder}/cpu.max", f"{limit} 100000\n")
            put_file(
                root, f"{CG}/{folder}/cpu.stat", f"usage_usec 9\nthrottled_usec {throttled_us}\n"
            )
            return
        put_file(root, f"{CG}/cpu/{folder}/cpu.cfs_quota_us", f"{limit.replace('max', '-1')}\n")
        put_file(root, f"{CG}/cpu/{folder}/cpu.cfs_period_us", "100000\n")
        stat = f"nr_periods 5\nthrottled_time {throttled_us * 1000}\n"
        put_file(root, f"{CG}/cpu/{folder}/cpu.stat", stat)

    line = {1: "4:cpu,cpuacct:/m/{}\n0::/\n", 2: "0::/m/{}\n"}[version]
    put_thread(root, PID, PID, "qemu", "1 1 1", line.format("emulator"))
    for tid in (10, 11):
        put_thread(root, PID, tid, f"CPU {tid}/KVM", "1 1 1", line.format(f"vcpu{tid}"))
    put("m", "150000", 1000)
    put("m/emulator", "20000", 5000)
    put("m/vcpu10", "50000", 7000)
    put("m/vcpu11", "max", 0)
    reader = reading(root)
    reader.begin(GUEST)
    put("m", "150000", 1031)
    put("m/emulator", "20000", 9999)
    put("m/vcpu10", "50000", 7043)
    quotas = {quota.cgroup: quota for quota in read(reader).quotas or ()}
    assert quotas == {
        "/m": Quota("/m", 1.5, 2, 31_000),
        "/m/vcpu10": Quota("/m/vcpu10", 0.5, 1, 43_000),
    }
    assert {quota.throttled_ns for quota in read(reader).quotas or ()} == {0}


def test_without_a_limit_there_is_no_quota_and_an_unseen_cgroup_is_unknown(root: Path) -> None:
    put_thread(root, PID, 10, "CPU 0/KVM", "1 1 1", "0::/\n")
    reader = reading(root)
    assert read(reader).quotas == ()
    put_thread(root, PID, 11, "CPU 1/KVM", "1 1 1", "0::/../../a\n")
    assert read(reader).quotas is None
    put_thread(root, PID, 11, "CPU 1/KVM", "1 1 1", "0::/a\n")
    assert read(reader).quotas is None
    put_file(root, f"{CG}/a/cpu.max", "max 100000\n")
    put_thread(root, PID, 12, "CPU 2/KVM", "1 1 1", "0::/a\n")
    assert read(reader).quotas == ()


def test_a_quota_set_while_it_runs_is_found(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put_thread(root, PID, 10, "CPU 0/KVM", "1 1 1", "0::/a\n")
    put_file(root, f"{CG}/a/cpu.max", "max 100000\n")
    reader = reading(root)
    for _ in range(3):
        assert read(reader).quotas == ()
    put_file(root, f"{CG}/a/cpu.max", "50000 100000\n")
    put_file(root, f"{CG}/a/cpu.stat", "throttled_usec 17\n")
    assert read(reader).quotas == ()  # it is not looked at in each interval
    monkeypatch.setattr(process_usage, "LOOK_S", 0.0)
    read(reader)
    assert read(reader).quotas == (Quota("/a", 0.5, 1, 0),)


def test_the_cpus_of_the_vcpus(root: Path) -> None:
    put_thread(root, PID, PID, "qemu", cpus="0-63")
    for tid, cpus in ((10, "0-3"), (11, "0-3"), (12, "8")):
        put_thread(root, PID, tid, f"CPU {tid}/KVM", cpus=cpus)
    assert read(reading(root)).allowed == (Allowed("0-3", 2), Allowed("8", 1))


@pytest.mark.parametrize(
    ("line", "folder", "text", "nodes"),
    [
        (
            "0::/m/libvirt/emulator\n",
            f"{CG}/m",
            "anon N0=4096 N1=8192\nfile N0=100 N1=0\nkernel_stack N0=7 N1=7\n",
            ((0, 4196), (1, 8192)),
        ),
        (
            "5:memory:/m\n",
            f"{CG}/memory/m",
            "total=3 N0=1 N3=2\nfile=1 N0=1 N3=0\nhierarchical_total=3 N0=1 N3=2\n",
            ((0, 4096), (3, 8192)),
        ),
    ],
)
def test_nodes_where_the_cgroup_is_the_guests_own(
    root: Path, line: str, folder: str, text: str, nodes: tuple[tuple[int, int], ...]
) -> None:
    put_thread(root, PID, PID, "qemu")
    put_file(root, f"proc/{PID}/cgroup", line)
    put_file(root, f"{folder}/memory.numa_stat", text)
    put_file(root, f"{folder}/cgroup.procs", f"{PID}\n")
    assert read(reading(root)).nodes == ()  # a single node
    put_file(root, "sys/devices/system/node/online", "0-1\n")
    assert read(reading(root)).nodes == nodes
    put_file(root, f"{folder}/cgroup.procs", f"{PID}\n9\n")
    assert read(reading(root)).nodes == ()


def test_a_guest_that_has_ended_is_left_out(root: Path) -> None:
    put_thread(root, PID, PID, "qemu")
    reader = reading(root)
    read(reader)
    shutil.rmtree(root / f"proc/{PID}")
    assert reader.read({GUEST: ("web", ())}).guests == ()


def test_another_process_of_that_id_is_not_the_guest(root: Path) -> None:
    put(root, PID, "qemu", started=1000)
    put_thread(root, PID, PID, "qemu")
    tick_ns = 10**9 // os.sysconf("SC_CLK_TCK")
    reader = reading(root)
    assert reader.read({Identity(PID, 999 * tick_ns): ("web", ())}).guests == ()
    (usage,) = reader.read({Identity(PID, 1000 * tick_ns + 5): ("web", ())}).guests
    assert usage.pid == PID


@pytest.mark.parametrize("text", ["", "x y z", "1 2", "1 2 3 4", "-", "\0", "9" * 200])
def test_hostile_counts_are_unknown(root: Path, text: str) -> None:
    put_thread(root, PID, 10, "CPU 0/KVM", text)
    reader = reading(root)
    read(reader)
    assert times(read(reader))["vcpu"] == (1, None, None)


def test_a_cgroup_without_the_controller_has_no_limit(root: Path) -> None:
    put_thread(root, PID, 10, "CPU 0/KVM", "1 1 1", "0::/a\n")
    put_file(root, f"{CG}/a/cgroup.procs", "")
    assert read(reading(root)).quotas == ()

"""Facts of a host: what its files say, and nothing where they say nothing."""

import os
from pathlib import Path

import pytest

from bpfexit.host.facts import host_facts
from bpfexit.model.host_facts import HostFacts

CPUINFO = "processor\t: 0\nvendor_id\t: GenuineIntel\nmodel name\t: Some CPU @ 2.0GHz\n\n"
CLOCKSOURCE = "sys/devices/system/clocksource/clocksource0/current_clocksource"


def write(root: Path, path: str, text: str) -> None:
    (root / path).parent.mkdir(parents=True, exist_ok=True)
    (root / path).write_text(text)


def test_a_host(tmp_path: Path) -> None:
    flags = "flags\t\t: fpu avic svm x2avic split_lock_detect\nvmx flags\t: vid apicv mtf\n"
    write(tmp_path, "proc/cpuinfo", (CPUINFO + flags) * 2)
    write(tmp_path, "proc/meminfo", "MemTotal: 9 kB\nSwapTotal:  2048 kB\nSwapFree: 1024 kB\n")
    write(tmp_path, "proc/cmdline", "BOOT_IMAGE=x split_lock_detect=off quiet\n")
    write(tmp_path, "proc/sys/kernel/numa_balancing", "1\n")
    write(tmp_path, "proc/sys/kernel/split_lock_mitigate", "0\n")
    write(tmp_path, "sys/devices/system/cpu/cpuidle/current_governor_ro", "haltpoll\n")
    write(tmp_path, "sys/kernel/mm/ksm/run", "1\n")
    write(tmp_path, "sys/devices/system/cpu/online", "0-3,8\n")
    write(tmp_path, CLOCKSOURCE, "tsc\n")
    write(tmp_path, "sys/kernel/mm/transparent_hugepage/enabled", "always [madvise] never\n")
    write(tmp_path, "sys/module/kvm/parameters/halt_poll_ns", "200000\n")
    write(tmp_path, "sys/module/kvm_amd/parameters/avic", "N\n")
    write(tmp_path, "sys/module/loop/parameters/max_loop", "8\n")
    assert host_facts(tmp_path) == HostFacts(
        cpu="Some CPU @ 2.0GHz",
        cpus=5,
        clocksource="tsc",
        hugepages="madvise",
        parameters={"kvm.halt_poll_ns": "200000", "kvm_amd.avic": "N"},
        settings={
            "kernel.numa_balancing": "1",
            "ksm.run": "1",
            "kernel.split_lock_mitigate": "0",
            "cpuidle.governor": "haltpoll",
            "split_lock_detect": "off",
        },
        flags=("avic", "split_lock_detect", "svm", "vmx:apicv", "vmx:vid", "x2avic"),
        swap_bytes=2 << 20,
        swap_used_bytes=1 << 20,
    )
    assert host_facts(tmp_path).has_flag("avic")
    assert host_facts(tmp_path).has_flag("vnmi") is False


def test_a_host_that_says_nothing(tmp_path: Path) -> None:
    assert host_facts(tmp_path) == HostFacts()
    assert HostFacts().has_flag("avic") is None
    assert HostFacts().number("kvm.halt_poll_ns") is None
    assert HostFacts(parameters={"kvm.halt_poll_ns": "7"}).number("kvm.halt_poll_ns") == 7


@pytest.mark.parametrize("online", ["", "x", "1-", "0-x\n"])
def test_cpus_that_are_no_list(tmp_path: Path, online: str) -> None:
    write(tmp_path, "sys/devices/system/cpu/online", online)
    assert host_facts(tmp_path).cpus == 0


def test_this_host() -> None:
    facts = host_facts()
    assert facts.cpus == os.sysconf("SC_NPROCESSORS_ONLN")
    assert facts.clocksource in Path("/", CLOCKSOURCE).read_text()

"""What started a guest's QEMU, and the CPUs that its cgroup may use."""

from pathlib import Path

import pytest

from bpfexit.guests.guests import guests_of
from bpfexit.guests.manager import cpu_quota, manager
from tests.unit.fake_processes import put

PID = 4711
QEMU = "/usr/bin/qemu-system-x86_64"
SCOPE = "/machine.slice/machine-qemu\\x2d3\\x2dweb01.scope"


@pytest.mark.parametrize(
    ("arguments", "cgroup", "expected"),
    [
        ((), "0::/user.slice\n", ""),
        ((), f"0::{SCOPE}/libvirt/emulator\n", "libvirt"),
        (
            ("-chardev", "socket,path=/var/lib/libvirt/qemu/domain-3-web01/monitor.sock"),
            None,
            "libvirt",
        ),
        (("-chardev", "socket,id=qmp,path=/var/run/qemu-server/100.qmp"), None, "proxmox"),
        (("-smbios", "type=1,manufacturer=OpenStack Foundation"), f"0::{SCOPE}\n", "openstack"),
        (("-smbios", "type=1,manufacturer=KubeVirt,product=None"), f"0::{SCOPE}\n", "kubevirt"),
    ],
)
def test_the_manager(
    tmp_path: Path, arguments: tuple[str, ...], cgroup: str | None, expected: str
) -> None:
    put(tmp_path, PID, QEMU, *arguments, cgroup=cgroup)
    assert manager(PID, tmp_path) == expected
    (guest,) = guests_of([PID], tmp_path)
    assert (guest.manager, guest.vmm) == (expected, "qemu")


def test_a_launcher_above_is_kubevirts(tmp_path: Path) -> None:
    launcher = ("/usr/bin/virt-launcher", "--namespace", "default", "--name", "web01")
    put(tmp_path, 10, *launcher)
    put(tmp_path, PID, QEMU, parent=10)
    assert manager(PID, tmp_path) == "kubevirt"


def limit(root: Path, folder: str, name: str, text: str) -> None:
    path = root / "sys/fs/cgroup" / folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def test_the_smallest_limit_of_a_cgroup_and_those_above_it(tmp_path: Path) -> None:
    put(tmp_path, PID, QEMU, cgroup="0::/a/b/c\n")
    assert cpu_quota(PID, tmp_path) is None
    limit(tmp_path, "a/b/c", "cpu.max", "max 100000\n")
    assert cpu_quota(PID, tmp_path) == 0
    limit(tmp_path, "a/b", "cpu.max", "250000 100000\n")
    limit(tmp_path, "a", "cpu.max", "400000 100000\n")
    assert cpu_quota(PID, tmp_path) == 2.5
    (guest,) = guests_of([PID], tmp_path)
    assert guest.cpu_quota == 2.5


def test_a_cgroup_of_version_1(tmp_path: Path) -> None:
    put(tmp_path, PID, QEMU, cgroup="9:memory:/x\n4:cpu,cpuacct:/a\n")
    limit(tmp_path, "cpu/a", "cpu.cfs_quota_us", "-1\n")
    assert cpu_quota(PID, tmp_path) == 0
    limit(tmp_path, "cpu/a", "cpu.cfs_quota_us", "50000\n")
    limit(tmp_path, "cpu/a", "cpu.cfs_period_us", "100000\n")
    assert cpu_quota(PID, tmp_path) == 0.5


@pytest.mark.parametrize("text", ["", "x", "1 0", "max", "1 2 3", "-1 -1", "\0"])
def test_what_is_no_limit(tmp_path: Path, text: str) -> None:
    put(tmp_path, PID, QEMU, cgroup="0::/a\n")
    limit(tmp_path, "a", "cpu.max", text)
    assert cpu_quota(PID, tmp_path) in (None, 0, 0.5)


@pytest.mark.parametrize("cgroup", ["0::/../../etc\n", "x", "", "0::\n", "0::/a\0b\n"])
def test_a_cgroup_that_leads_elsewhere_has_no_limit(tmp_path: Path, cgroup: str) -> None:
    put(tmp_path, PID, QEMU, cgroup=cgroup)
    limit(tmp_path, "..", "cpu.max", "1 1\n")
    assert cpu_quota(PID, tmp_path) is None

"""What joins a guest with the metrics of libvirt and KubeVirt."""

from pathlib import Path

from bpfexit.guests.guests import guests_of
from bpfexit.guests.identity import GuestIdentity, guest_identity
from tests.unit.fake_processes import put

QEMU = "/usr/bin/qemu-system-x86_64"
UUID = "0f7c3a52-5b1e-4c3f-9d0a-6a1b2c3d4e5f"
SCOPE = "0::/machine.slice/machine-qemu\\x2d3\\x2dweb01.scope/libvirt/emulator\n"


def identity(root: Path, pid: int = 7) -> GuestIdentity:
    (guest,) = guests_of([pid], root)
    return guest_identity(guest, root)


def test_a_guest_of_nobody_has_no_domain(tmp_path: Path) -> None:
    put(tmp_path, 7, QEMU, "-name", "web01", "-uuid", UUID)
    assert identity(tmp_path) == GuestIdentity(UUID)


def test_a_guest_of_libvirt_has_its_domain(tmp_path: Path) -> None:
    put(tmp_path, 7, QEMU, "-name", "guest=web 01,debug-threads=on", cgroup=SCOPE)
    assert identity(tmp_path) == GuestIdentity(domain="web 01")


def test_a_guest_of_kubevirt_has_its_pod(tmp_path: Path) -> None:
    put(tmp_path, 5, "/usr/bin/virt-launcher", "--name", "vm1", "--namespace", "prod")
    put(tmp_path, 7, QEMU, "-name", "guest=prod_vm1", parent=5)
    (tmp_path / "proc/5/environ").write_bytes(b"A=1\0POD_NAME=virt-launcher-vm1-abc\0")
    expected = GuestIdentity("", "prod_vm1", "prod", "virt-launcher-vm1-abc")
    assert identity(tmp_path) == expected


def test_a_launcher_that_may_not_be_looked_into_has_no_pod(tmp_path: Path) -> None:
    put(tmp_path, 5, "/usr/bin/virt-launcher", "--name", "vm1", "--namespace", "prod")
    put(tmp_path, 7, QEMU, parent=5)
    assert identity(tmp_path).pod == ""

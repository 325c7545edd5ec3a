"""A setting is written for the guest's own VMM and manager, and for no other."""

from typing import Any

import pytest

from bpfexit.advice import vmm
from bpfexit.advice.finding import Where
from bpfexit.model.guest import Guest

ALL: dict[str, Any] = {
    "libvirt": "<x/>",
    "qemu": "-x",
    "proxmox": "qm set VMID --x 1",
    "openstack": "image property",
    "kubevirt": "spec.x",
    "cloud_hypervisor": "--x",
    "firecracker": "PUT /x",
    "crosvm": "--y",
}


@pytest.mark.parametrize(
    ("program", "manager", "places"),
    [
        ("qemu", "", [Where.LIBVIRT, Where.QEMU]),
        ("qemu", "libvirt", [Where.LIBVIRT, Where.QEMU]),
        ("qemu", "proxmox", [Where.PROXMOX]),
        ("qemu", "openstack", [Where.OPENSTACK]),
        ("qemu", "kubevirt", [Where.KUBEVIRT]),
        ("cloud-hypervisor", "", [Where.CLOUD_HYPERVISOR]),
        ("firecracker", "", [Where.FIRECRACKER]),
        ("crosvm", "", [Where.CROSVM]),
        ("", "", []),
        ("another", "", []),
    ],
)
def test_where_a_setting_is_written(program: str, manager: str, places: list[Where]) -> None:
    guest = Guest(1, "a", vmm=program, manager=manager)
    assert [change.where for change in vmm.setting(guest, **ALL)] == places
    assert vmm.is_known(guest) is bool(places)


@pytest.mark.parametrize(
    ("guest", "place"),
    [
        (Guest(1, "a", vmm="qemu", options=(("machine", "pc-q35-8.1+pve0"),)), Where.PROXMOX),
        (Guest(1, "instance-0000001a", vmm="qemu"), Where.OPENSTACK),
        (Guest(1, "instance-1", vmm="qemu"), Where.LIBVIRT),
        (Guest(1, "a", "kubevirt", "qemu"), Where.KUBEVIRT),
        (Guest(1, "a", "libvirt", "qemu"), Where.LIBVIRT),
        (Guest(1, "a", "qemu", "qemu"), Where.LIBVIRT),
    ],
)
def test_a_recording_of_before_has_signs_of_the_manager(guest: Guest, place: Where) -> None:
    assert vmm.setting(guest, **ALL)[0].where is place


def test_options_alone_are_qemus() -> None:
    guest = Guest(1, "a", options=(("cpu", "host"),))
    assert [change.text for change in vmm.setting(guest, qemu="-x")] == ["-x"]


def test_an_option_of_qemu_goes_into_the_args_of_proxmox_and_nowhere_else() -> None:
    guest = Guest(1, "a", vmm="qemu", manager="proxmox")
    assert [change.text for change in vmm.setting(guest, qemu="-x")] == ['qm set VMID --args "-x"']
    texts = {
        "-x y=on, if idle": 'qm set VMID --args "-x y=on", if idle',
        "-cpu …,x=on (then)": 'qm set VMID --args "-cpu host,x=on" '
        "(with all other flags: it replaces -cpu) (then)",
        "-device …,x=on": "",
        "no -device x": "",
        "-device x -device y": "",
    }
    for qemu, text in texts.items():
        assert "".join(change.text for change in vmm.setting(guest, qemu=qemu)) == text
    for manager in ("openstack", "kubevirt"):
        assert vmm.setting(Guest(1, "a", vmm="qemu", manager=manager), qemu="-x") == ()


def test_versions_of_libvirt_are_those_of_its_guests() -> None:
    def since(guest: Guest) -> list[str]:
        return [change.since for change in vmm.setting(guest, since="QEMU 6, libvirt 8", **ALL)]

    assert since(Guest(1, "a", vmm="qemu")) == ["QEMU 6, libvirt 8", "QEMU 6"]
    assert since(Guest(1, "a", vmm="qemu", manager="proxmox")) == ["QEMU 6"]


def test_pages_on_another_vmm_are_left_out() -> None:
    pages = ("https://www.qemu.org/x", "https://libvirt.org/y", "https://docs.kernel.org/z")
    assert vmm.references(Guest(1, "a", vmm="qemu"), pages) == pages
    own = vmm.references(Guest(1, "a", vmm="firecracker"), pages)
    assert own[0] == pages[2]
    assert "firecracker" in own[1]
    assert vmm.references(Guest(1, "a"), pages) == pages[2:]

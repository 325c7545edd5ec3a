"""The program that runs a guest, and how a setting of the guest is written for it."""

import re

from bpfexit.advice.finding import Change, Takes, Where
from bpfexit.model.guest import Guest

_VMMS = {
    "cloud-hypervisor": (Where.CLOUD_HYPERVISOR,),
    "firecracker": (Where.FIRECRACKER,),
    "crosvm": (Where.CROSVM,),
}
_MANAGERS = {
    "libvirt": (Where.LIBVIRT, Where.QEMU),
    "proxmox": (Where.PROXMOX,),
    "openstack": (Where.OPENSTACK,),
    "kubevirt": (Where.KUBEVIRT,),
}
_UNMANAGED = (Where.LIBVIRT, Where.QEMU)
"""Whether a QEMU without a known manager was started by libvirt is not known."""

_NOVA = re.compile(r"instance-[0-9a-f]{8}", re.ASCII)
"""Nova's names of guests, unless it is told otherwise."""

_FOREIGN = ("qemu.org", "libvirt.org")
_PAGES = {
    Where.PROXMOX: "https://pve.proxmox.com/pve-docs/qm.1.html",
    Where.OPENSTACK: "https://docs.openstack.org/glance/latest/admin/useful-image-properties.html",
    Where.KUBEVIRT: "https://kubevirt.io/user-guide/",
    Where.CLOUD_HYPERVISOR: "https://github.com/cloud-hypervisor/cloud-hypervisor/tree/main/docs",
    Where.FIRECRACKER: "https://github.com/firecracker-microvm/firecracker/tree/main/docs",
    Where.CROSVM: "https://crosvm.dev/book/",
}


def is_qemu(guest: Guest) -> bool:
    """Say whether QEMU runs the guest; the options that are known are QEMU's."""
    return guest.vmm == "qemu" or (not guest.vmm and bool(guest.options))


def is_known(guest: Guest) -> bool:
    """Say whether the program is one whose options are known here."""
    return bool(places(guest))


def places(guest: Guest) -> tuple[Where, ...]:
    """Return where the guest's settings are written; none for a program that is not known."""
    if is_qemu(guest):
        return _MANAGERS.get(_manager(guest), _UNMANAGED)
    return _VMMS.get(guest.vmm, ())


def _manager(guest: Guest) -> str:
    """Return what manages the guest; a recording of before has but signs of it."""
    if guest.manager:
        return guest.manager
    if any(name == "machine" and "+pve" in value for name, value in guest.options):
        return "proxmox"
    if _NOVA.fullmatch(guest.name):
        return "openstack"
    return guest.named_by


def setting(
    guest: Guest,
    *,
    since: str = "",
    takes: Takes = Takes.GUEST_START,
    libvirt: str = "",
    qemu: str = "",
    proxmox: str = "",
    openstack: str = "",
    kubevirt: str = "",
    cloud_hypervisor: str = "",
    firecracker: str = "",
    crosvm: str = "",
) -> tuple[Change, ...]:
    """Return one setting as the guest's own VMM takes it; nothing where that has none.

    On Proxmox, an option of QEMU without a setting goes into `args`.
    """
    texts = {
        Where.LIBVIRT: libvirt,
        Where.QEMU: qemu,
        Where.PROXMOX: proxmox or (f'qm set VMID --args "{qemu}"' if qemu else ""),
        Where.OPENSTACK: openstack,
        Where.KUBEVIRT: kubevirt,
        Where.CLOUD_HYPERVISOR: cloud_hypervisor,
        Where.FIRECRACKER: firecracker,
        Where.CROSVM: crosvm,
    }
    return tuple(
        Change(where, texts[where], takes=takes, since=since)
        for where in places(guest)
        if texts[where]
    )


def references(guest: Guest, pages: tuple[str, ...]) -> tuple[str, ...]:
    """Return the pages that are about the guest's own VMM, and that VMM's."""
    own = [_PAGES[where] for where in places(guest) if where in _PAGES]
    foreign = () if is_qemu(guest) else _FOREIGN
    return (*(page for page in pages if not any(part in page for part in foreign)), *own)

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
_TAKES = {Where.OPENSTACK: Takes.NEW_SERVER}
_UNMANAGED = (Where.LIBVIRT, Where.QEMU)
"""Whether a QEMU without a known manager was started by libvirt is not known."""

_OPTION = re.compile(r"(-[a-z0-9-]+(?: [^ ,]+(?:,[^ ,]+)*)?)((?:,| \().*|)", re.ASCII)
"""An option of QEMU with its value, and what is said of it."""
_CPU = "-cpu …,"

_NOVA = re.compile(r"instance-[0-9a-f]{8}", re.ASCII)
"""Nova's names of guests, unless configured otherwise."""

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
    """Return whether QEMU runs the guest; the known options are QEMU's."""
    return guest.vmm == "qemu" or (not guest.vmm and bool(guest.options))


def is_known(guest: Guest) -> bool:
    """Return whether the options of the program are known here."""
    return bool(places(guest))


def places(guest: Guest) -> tuple[Where, ...]:
    """Return where the guest's settings are written; none if the program is unknown."""
    if is_qemu(guest):
        return _MANAGERS.get(_manager(guest), _UNMANAGED)
    return _VMMS.get(guest.vmm, ())


def _manager(guest: Guest) -> str:
    """Return what manages the guest; an older recording has only signs of it."""
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
    """Return one setting as the guest's own VMM takes it; nothing if that has none.

    On Proxmox, an option of QEMU without a setting goes into `args`. OpenStack copies the
    properties of an image and a flavor when it creates a server: a restart changes nothing.
    """
    texts = {
        Where.LIBVIRT: libvirt,
        Where.QEMU: qemu,
        Where.PROXMOX: proxmox or _args(qemu),
        Where.OPENSTACK: openstack,
        Where.KUBEVIRT: kubevirt,
        Where.CLOUD_HYPERVISOR: cloud_hypervisor,
        Where.FIRECRACKER: firecracker,
        Where.CROSVM: crosvm,
    }
    return tuple(
        Change(where, texts[where], takes=_TAKES.get(where, takes), since=_since(where, since))
        for where in places(guest)
        if texts[where]
    )


def _since(where: Where, versions: str) -> str:
    """Return the versions that matter there: libvirt's only where libvirt is used."""
    uses_libvirt = where not in (Where.QEMU, Where.PROXMOX)
    parts = versions.split(", ")
    return ", ".join(part for part in parts if uses_libvirt or not part.startswith("libvirt"))


def _args(qemu: str) -> str:
    """Return an option of QEMU as Proxmox takes it; "" for a text that is not just one."""
    match = _OPTION.fullmatch(qemu)
    if match is None:
        return ""
    option, note = match.groups()
    if option.startswith(_CPU):
        cpu = f"-cpu host,{option.removeprefix(_CPU)}"
        return f'qm set VMID --args "{cpu}" (with all other flags: it replaces -cpu){note}'
    return "" if "…" in option else f'qm set VMID --args "{option}"{note}'


def references(guest: Guest, pages: tuple[str, ...]) -> tuple[str, ...]:
    """Return the references about the guest's own VMM."""
    own = [_PAGES[where] for where in places(guest) if where in _PAGES]
    foreign = () if is_qemu(guest) else _FOREIGN
    kept = (page for page in pages if not any(part in page for part in foreign))
    return tuple(dict.fromkeys((*kept, *own)))

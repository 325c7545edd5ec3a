"""What manages a guest's QEMU, where its settings are written, and its quota of CPUs.

All text comes from other processes and is not trusted.
"""

from pathlib import Path

from bpfexit.guests.guest_names import kubevirt_name, libvirt_name, option_values
from bpfexit.host.cgroups import Cgroups, cpu_limit
from bpfexit.host.processes import command_line


def manager(pid: int, root: Path = Path("/")) -> str:
    """Return `kubevirt`, `openstack`, `proxmox` or `libvirt`; "" for any other.

    KubeVirt and OpenStack use libvirt, so they come first.
    """
    arguments = command_line(pid, root)
    if kubevirt_name(pid, root) or _has_smbios(arguments, "KubeVirt"):
        return "kubevirt"
    if _has_smbios(arguments, "OpenStack"):
        return "openstack"
    if any("/var/run/qemu-server/" in argument for argument in arguments):
        return "proxmox"
    is_libvirt = any("/libvirt/qemu/" in argument for argument in arguments)
    return "libvirt" if is_libvirt or libvirt_name(pid, root) else ""


def _has_smbios(arguments: tuple[str, ...], manufacturer: str) -> bool:
    """Return whether `-smbios type=1,manufacturer=...` names this manager."""
    values = option_values(arguments, "-smbios", "--smbios")
    return any(f"manufacturer={manufacturer}" in value for value in values)


def cpu_quota(pid: int, root: Path = Path("/")) -> float | None:
    """Return how many CPUs the process's cgroup may use; 0 without a limit, None if unknown.

    The smallest limit of the cgroup and of those above it counts.
    """
    groups = Cgroups(root).of(root / "proc" / str(pid), "cpu")
    if groups is None:
        return None
    limits = [limit for group in groups if (limit := cpu_limit(group)) is not None]
    if groups and not limits:
        return None
    return min((limit for limit in limits if limit), default=0.0)

"""What starts a guest's QEMU, since settings are written there, and how many CPUs it may use.

All text is that of other processes: not to be trusted.
"""

from pathlib import Path, PurePosixPath

from bpfexit.guests.guest_names import kubevirt_name, libvirt_name, option_values
from bpfexit.host.processes import command_line

_LIMIT = 1 << 16
_PERIOD_US = 100_000


def manager(pid: int, root: Path = Path("/")) -> str:
    """Return `kubevirt`, `openstack`, `proxmox` or `libvirt`; "" for none that is known here.

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
    """Say whether `-smbios type=1,manufacturer=...` names it, as these two have it."""
    values = option_values(arguments, "-smbios", "--smbios")
    return any(f"manufacturer={manufacturer}" in value for value in values)


def cpu_quota(pid: int, root: Path = Path("/")) -> float | None:
    """Return how many CPUs the process's cgroup may use; 0 for no limit, None where not known.

    The smallest limit of a cgroup and those above it counts.
    """
    text = _text(root / "proc" / str(pid) / "cgroup")
    found = [each for line in text.splitlines() for each in _quotas(line, root)]
    if not found:
        return None
    return min((each for each in found if each), default=0.0)


def _quotas(line: str, root: Path) -> list[float]:
    """Return the limits along a line of `/proc/PID/cgroup`, of cgroup v2 or v1."""
    number, _, rest = line.partition(":")
    controllers, _, path = rest.partition(":")
    if ".." in PurePosixPath(path).parts:
        return []  # another cgroup namespace's
    if number == "0" and not controllers:
        folders = _up(root / "sys/fs/cgroup", path)
        return [each for folder in folders if (each := _v2(folder)) is not None]
    if "cpu" in controllers.split(","):
        folders = _up(root / "sys/fs/cgroup/cpu", path)
        return [each for folder in folders if (each := _v1(folder)) is not None]
    return []


def _up(mount: Path, path: str) -> list[Path]:
    """Return the folder of a cgroup and those above it, without the root's."""
    parts = PurePosixPath(path.lstrip("/")).parts
    return [mount.joinpath(*parts[:end]) for end in range(len(parts), 0, -1)]


def _v2(folder: Path) -> float | None:
    words = _text(folder / "cpu.max").split()
    return _cpus(*words[:2]) if words else None


def _v1(folder: Path) -> float | None:
    quota = _text(folder / "cpu.cfs_quota_us").strip()
    return _cpus(quota, _text(folder / "cpu.cfs_period_us").strip()) if quota else None


def _cpus(quota: str, period: str = "") -> float | None:
    """Return quota by period; 0 for `max` or -1, which are no limit."""
    if quota in ("max", "-1"):
        return 0.0
    try:
        return int(quota) / int(period or _PERIOD_US)
    except (ValueError, ZeroDivisionError):
        return None


def _text(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return file.read(_LIMIT).decode(errors="replace")
    except (OSError, ValueError):
        return ""

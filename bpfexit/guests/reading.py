"""What a process says about its guest: its command line and its cgroup."""

from pathlib import Path

from bpfexit.guests.guest_names import guest_name, guest_vmm
from bpfexit.guests.manager import cpu_quota, manager
from bpfexit.guests.qemu_options import qemu_options
from bpfexit.model.guest import Guest


def read_guest(pid: int, root: Path) -> Guest:
    """Return the guest of a process."""
    name, named_by = guest_name(pid, root)
    vmm = guest_vmm(pid, root)
    is_qemu = vmm == "qemu"
    return Guest(
        pid,
        name,
        named_by,
        vmm,
        qemu_options(pid, root) if is_qemu else (),
        manager=manager(pid, root) if is_qemu else "",
        cpu_quota=cpu_quota(pid, root),
    )

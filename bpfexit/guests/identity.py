"""The names by which other exporters know a guest: UUID, libvirt domain, KubeVirt pod."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from bpfexit.guests.configured import configured_uuid
from bpfexit.guests.guest_names import (
    kubevirt_launcher,
    libvirt_name,
    option_values,
    qemu_name,
)
from bpfexit.host.processes import command_line, environment
from bpfexit.model.guest import Guest

_POD = "POD_NAME"
"""The variable in which KubeVirt passes the pod's name to the launcher."""


class GuestIdentity(NamedTuple):
    """Names of a guest; "" if it has none. All are text of the owner and not trusted.

    `domain` is libvirt's name, which libvirt_exporter and KubeVirt report, too.
    """

    uuid: str = ""
    domain: str = ""
    namespace: str = ""
    pod: str = ""


def guest_identity(guest: Guest, root: Path = Path("/")) -> GuestIdentity:
    """Read the names from what started a guest's process and the launcher above it."""
    pid = guest.pid
    uuid = configured_uuid(guest, command_line(pid, root)) or ""
    launcher = kubevirt_launcher(pid, root)
    domain = libvirt_name(pid, root)
    if domain or launcher:
        domain = qemu_name(pid, root) or domain  # a cgroup's name lacks some characters
    if launcher is None:
        return GuestIdentity(uuid, domain)
    namespace = next(option_values(launcher.arguments, "--namespace"), "")
    return GuestIdentity(uuid, domain, namespace, environment(launcher.pid, root).get(_POD, ""))

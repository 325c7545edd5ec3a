"""Names of guests, from the command lines and cgroups of their processes.

Each reader takes a PID and a root path and returns the name, or "" if it finds none. A name is text
of the guest's owner and is not trusted.
"""

import re
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from bpfexit.host.processes import Process, command_line, process, program_name

NAME_LIMIT = 256
"""Maximum characters of a name, which is in every row; a longer name ends in an ellipsis."""

Reader = Callable[[int, Path], str]

_VMMS = {"qemu": "qemu", "kvm": "qemu"} | {
    name: name for name in ("firecracker", "cloud-hypervisor", "crosvm")
}
_KUBEVIRT = frozenset({"virt-launcher-monitor", "virt-launcher"})
_ANCESTORS = 16
"""Generations above QEMU: KubeVirt's launcher is its parent, or its libvirt's."""


def guest_name(pid: int, root: Path = Path("/")) -> tuple[str, str]:
    """Return a guest's name and the reader that found it; `pid:N` and "" if none did."""
    for reader, read in READERS.items():
        name = read(pid, root)
        if name.strip():
            return (name if len(name) <= NAME_LIMIT else f"{name[: NAME_LIMIT - 1]}…"), reader
    return f"pid:{pid}", ""


def guest_vmm(pid: int, root: Path = Path("/")) -> str:
    """Return the program that runs a guest: `qemu`, another known one, or ""."""
    name = program_name(command_line(pid, root))
    return next((vmm for part, vmm in _VMMS.items() if part in name), "")


def qemu_name(pid: int, root: Path) -> str:
    """Read QEMU's `-name [guest=]NAME[,option=...]`; a comma in NAME is doubled."""
    value = _option(command_line(pid, root), "-name", "--name")
    parts = value.replace(",,", "\0").split(",")
    named = [part.removeprefix("guest=") for part in parts if part.startswith("guest=")]
    named += [part for part in parts[:1] if "=" not in part]
    return named[0].replace("\0", ",") if named else ""


def own_name(pid: int, root: Path) -> str:
    """Read `--name` of `bpfexit testguest`, run as a script or with `python -m`."""
    arguments = command_line(pid, root)
    for program, command in pairwise(arguments[1:4]):
        if (program_name((program,)), command) == ("bpfexit", "testguest"):
            return _option(arguments, "--name")
    return ""


_SCOPE = re.compile(r"machine-(.+)\.scope", re.DOTALL)
_FOLDER = re.compile(r"_?(.+)\.libvirt-(?:qemu|ch)", re.DOTALL)
_MACHINE = re.compile(r"(?:qemu|ch)-(?:embed-[0-9a-f]{8}-)?(?:[0-9]+-)?(.+)", re.DOTALL)


def libvirt_name(pid: int, root: Path) -> str:
    r"""Read libvirt's cgroup, v1 or v2: `…/machine-qemu\x2d3\x2dweb01.scope/libvirt/emulator`.

    Without systemd it is `/machine/qemu-3-web01.libvirt-qemu`, of old without
    the number. libvirt leaves out of a scope's name what no host name may have.
    """
    try:
        text = (root / "proc" / str(pid) / "cgroup").read_text(errors="replace")
    except OSError:
        return ""
    parts = (part for line in text.splitlines() for part in line.split(":", 2)[-1].split("/"))
    return next(filter(None, map(_machine, parts)), "")


def _machine(part: str) -> str:
    """Return the guest of a folder in the cgroup file system; "" for any other folder."""
    if scope := _SCOPE.fullmatch(part):
        machine = _MACHINE.fullmatch(_unescaped(scope[1]))
        return machine[1] if machine else ""
    if folder := _FOLDER.fullmatch(part):
        machine = _MACHINE.fullmatch(folder[1])
        return machine[1] if machine else folder[1]
    return ""


def _unescaped(unit: str) -> str:
    r"""Undo systemd's escapes: `-` stands for `/`, `\x2d` for the byte."""
    raw = re.sub(
        rb"\\x([0-9a-f]{2})",
        lambda match: bytes([int(match[1], 16)]),
        unit.replace("-", "/").encode(),
    )
    return raw.decode(errors="replace")


class Launcher(NamedTuple):
    """The process of KubeVirt that started a guest."""

    pid: int
    arguments: tuple[str, ...]


def kubevirt_launcher(pid: int, root: Path) -> Launcher | None:
    """Return the KubeVirt launcher above a process; None if none is visible."""
    for _ in range(_ANCESTORS):
        arguments = command_line(pid, root)
        if any(program_name((argument,)) in _KUBEVIRT for argument in arguments):
            return Launcher(pid, arguments)
        about = _in_sight(pid, root)
        if about is None or about.parent <= 1:
            return None
        pid = about.parent
    return None


def kubevirt_name(pid: int, root: Path) -> str:
    """Read `--namespace` and `--name` of the KubeVirt launcher above: `namespace_name`.

    KubeVirt's own libvirt gives the domain the same name.
    """
    launcher = kubevirt_launcher(pid, root)
    if launcher is None:
        return ""
    names = [_option(launcher.arguments, option) for option in ("--namespace", "--name")]
    return "_".join(names) if all(names) else ""


def _in_sight(pid: int, root: Path) -> Process | None:
    try:
        return process(pid, root)
    except OSError:  # another user's process, and /proc is mounted with hidepid=1
        return None


def firecracker_name(pid: int, root: Path) -> str:
    """Read Firecracker's `--id`, which its jailer passes on as `--id=…`."""
    arguments = command_line(pid, root)
    return _option(arguments, "--id") if "firecracker" in program_name(arguments) else ""


_GENERIC = re.compile(r"(?:api|ch|clh|ch-api|clh-api|cloud-hypervisor|vmm)", re.IGNORECASE)
_DEEP = 4
"""A folder with more parts than `/run/vc/vm` has belongs to one guest."""


def cloud_hypervisor_name(pid: int, root: Path) -> str:
    """Read what identifies a guest of Cloud Hypervisor, which has no option for a name.

    That is the API socket, `--api-socket [path=]…/NAME.sock`, or its folder if the name of the
    socket is a generic one; otherwise `--platform serial_number=…` or `uuid=…`.
    """
    arguments = command_line(pid, root)
    if "cloud-hypervisor" not in program_name(arguments):
        return ""
    return _of_socket(_option(arguments, "--api-socket")) or _of_platform(
        _option(arguments, "--platform")
    )


def _of_socket(value: str) -> str:
    path = PurePosixPath(value.removeprefix("path="))
    if value.startswith("fd=") or not path.name:
        return ""
    if not _GENERIC.fullmatch(path.stem):
        return path.stem
    return path.parent.name if len(path.parent.parts) > _DEEP else ""


def _of_platform(value: str) -> str:
    about = dict(part.split("=", 1) for part in value.split(",") if "=" in part)
    return about.get("serial_number") or about.get("uuid") or ""


def _option(arguments: tuple[str, ...], *names: str) -> str:
    """Return the value of the first of these options; "" if none is given."""
    return next(option_values(arguments, *names), "")


def option_values(arguments: tuple[str, ...], *names: str) -> Iterator[str]:
    """Yield the values of these options, as `--option VALUE` or `--option=VALUE`, in order."""
    for option, value in pairwise((*arguments[1:], "")):
        name, equals, same = option.partition("=")
        if name in names and (equals or value):
            yield same if equals else value


READERS: dict[str, Reader] = {
    "bpfexit": own_name,
    "qemu": qemu_name,
    "libvirt": libvirt_name,
    "kubevirt": kubevirt_name,
    "firecracker": firecracker_name,
    "cloud-hypervisor": cloud_hypervisor_name,
}
"""The readers, in their order."""

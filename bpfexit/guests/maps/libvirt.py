"""Guests' memory maps through libvirt: `virsh qemu-monitor-command`, nothing else."""

from __future__ import annotations

import os
import re
import shutil

from bpfexit.errors import BpfexitError
from bpfexit.events.region import Region
from bpfexit.guests.maps import mtree
from bpfexit.guests.maps.qmp import COMMAND
from bpfexit.host.bounded_run import bounded_run
from bpfexit.host.cancel import Cancel

TIMEOUT_S = 3.0
"""Time limit of a call, s: libvirt itself waits without limit for a QEMU that hangs."""

FOLDERS = ("/usr/bin", "/usr/local/bin", "/bin")
"""The folders of virsh: bpfexit runs as root, so PATH is not trusted."""

MOST_BYTES = 4 << 20
"""Maximum bytes of an answer; a memory map has some 100 KB, 1,000 guests have 60 KB."""

_DOMAIN = re.compile(r"([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})\s+(.+?)\s*")


def domains(cancel: Cancel | None = None) -> dict[str, str]:
    """Return the UUIDs of the running guests by their names. Raises `BpfexitError`."""
    lines = _virsh(cancel, "list", "--uuid", "--name").splitlines()
    matches = (_DOMAIN.fullmatch(line) for line in lines)
    return {match[2]: match[1] for match in matches if match}


def memory_map(uuid: str, cancel: Cancel | None = None) -> tuple[Region, ...]:
    """Return a guest's memory map. Raises `BpfexitError`.

    The UUID identifies it: a name may look like another guest's number, or like an option.
    """
    text = _virsh(cancel, "qemu-monitor-command", f"--domain={uuid}", "--hmp", COMMAND)
    regions = mtree.regions(text)
    if not regions:
        raise BpfexitError(f"--libvirt: the answer to `{COMMAND}` contains no memory map")
    return regions


def _virsh(cancel: Cancel | None, *arguments: str) -> str:
    try:
        done = bounded_run(
            [_program(), "--quiet", *arguments],
            os.environ | {"LC_ALL": "C", "PATH": ":".join(FOLDERS)},
            TIMEOUT_S,
            MOST_BYTES,
            cancel,
        )
    except TimeoutError:
        raise BpfexitError(f"--libvirt: virsh did not answer within {TIMEOUT_S:.0f} s") from None
    except OverflowError:
        raise BpfexitError(
            f"--libvirt: virsh prints more than {MOST_BYTES >> 20} MiB: "
            "try `virsh list`, or name the guests' own sockets with --qmp"
        ) from None
    except OSError as error:
        raise BpfexitError(f"--libvirt: cannot run virsh: {error.strerror}") from None
    if done.code:
        words = done.errors.decode(errors="replace").split()
        raise BpfexitError(f"--libvirt: virsh failed: {ascii(' '.join(words))[1:-1][:200]}")
    return done.output.decode(errors="replace")


def _program() -> str:
    """Return the path of virsh. Raises `BpfexitError`."""
    path = shutil.which("virsh", path=":".join(FOLDERS))
    if path is None:
        raise BpfexitError(
            f"--libvirt: no virsh in {', '.join(FOLDERS)}; Debian has it in libvirt-clients"
        )
    return path

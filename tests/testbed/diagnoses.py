"""A scenario of the session inside: two real QEMUs on the emulated host, and their diagnosis.

It is for a machine that counts instructions: there, the rates of guests do not hang
on how busy this side is. The firmware has come to its end before they are counted.
"""

import json
import subprocess
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from tests.counting import BPFEXIT
from tests.integration import qemu

GUESTS = {"plain": "qemu64", "clocked": "qemu64,hv-time=on"}
"""Names and CPUs; both run the same boot sector."""


def diagnosed() -> list[dict[str, Any]]:
    """Diagnose two guests that read the ACPI PM timer: one has a Hyper-V clock to read instead."""
    with TemporaryDirectory() as folder, ExitStack() as stack:
        sockets, booting = [], []
        for guest, cpu in GUESTS.items():
            home = Path(folder, guest)
            home.mkdir()
            socket = f"{home}/qmp"
            options = ("-cpu", cpu, "-qmp", f"unix:{socket},server=on,wait=off")
            machine = stack.enter_context(qemu.running(home, f"guest={guest}", *options))
            booting.append((home, machine))
            sockets += ["--qmp", f"{guest}={socket}"]
        for home, machine in booting:
            qemu.until_booted(home, machine)
        command = [*BPFEXIT, "diagnose", "-j", "-d", "0.5", *sockets]
        done = subprocess.run(command, check=True, capture_output=True, text=True)
    return [json.loads(line) for line in done.stdout.splitlines()]

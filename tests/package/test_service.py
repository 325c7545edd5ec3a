"""The unit as systemd runs it, with its filter of system calls: it counts, and exactly."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import pytest

from bpfexit.host.capabilities import CAPABILITIES
from tests.integration.exporting import total
from tests.package.roots import ENOUGH_S, Root
from tests.waiting import eventually

UNIT = "bpfexit-export.service"
URL = "http://127.0.0.1:25863/metrics"
PRIME = 10_007
# nspawn, too, filters system calls and capabilities: not those that the unit is given.
NSPAWN = (
    *("systemd-nspawn", "--boot", "--register=no", "--keep-unit", "--console=pipe"),
    *("--private-network", "--capability=all", "--system-call-filter=bpf perf_event_open"),
    *("--bind=/sys/kernel/tracing", "--bind-ro=/sys/module"),
    "--volatile=overlay",  # the root stays as it is
)
NAMESPACES = ("--mount", "--pid", "--net", "--uts", "--ipc")


@contextmanager
def booted(root: Root) -> Iterator[int]:
    """Boot the root in a container; yield its first process, as this machine numbers it."""
    with (
        subprocess.Popen(
            [*NSPAWN, f"--directory={root.folder}"],
            env=os.environ | {"SYSTEMD_NSPAWN_UNIFIED_HIERARCHY": "1"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        ) as nspawn,
        ExitStack() as ending,
    ):
        ending.callback(nspawn.wait, ENOUGH_S)
        ending.callback(nspawn.terminate)  # which powers it off
        init = eventually(lambda: first_process(nspawn.pid))
        ending.callback(show_service, init)
        yield init


def first_process(nspawn: int) -> int | None:
    """Return the first process of a container, which nspawn makes by way of another child."""
    for child in Path(f"/proc/{nspawn}/task/{nspawn}/children").read_text().split():
        with suppress(FileNotFoundError, ProcessLookupError):  # the other one, which has ended
            status = Path(f"/proc/{child}/status").read_text()
            if re.search(r"^NSpid:.*\t1$", status, re.MULTILINE):
                return int(child)
    return None


def inside(init: int, *command: str) -> subprocess.CompletedProcess[str]:
    """Run a command in the namespaces of a process."""
    enter = ("nsenter", f"--target={init}", *NAMESPACES)
    return subprocess.run([*enter, *command], capture_output=True, text=True, check=False)


def show_service(init: int) -> None:
    """Print how the exporter is, which pytest shows when a test fails."""
    print(inside(init, "systemctl", "status", "--no-pager", UNIT).stdout)


def scraped(init: int) -> str:
    """Return a scrape from inside; "" before the exporter listens."""
    code = f"from urllib.request import urlopen; print(urlopen({URL!r}).read().decode())"
    return inside(init, "python3", "-c", code).stdout


@pytest.mark.usefixtures("needs_bpf", "needs_kvm")
def test_the_service_counts_a_prime_number_within_its_limits(root: Root) -> None:
    root.run("systemctl", "enable", UNIT)
    with booted(root) as init:
        eventually(lambda: scraped(init) != "", ENOUGH_S)  # a whole system boots first
        guest = ("testguest", "--mix", "pio-read-user", "--exits", str(PRIME))
        with subprocess.Popen(
            [sys.executable, "-m", "bpfexit", *guest], stdout=subprocess.DEVNULL
        ) as run:
            label = f"pid:{run.pid}"  # in a PID namespace, names of other processes are not known
        counted = {"guest": label, "address": "0x0608"}
        eventually(lambda: total(scraped(init), "bpfexit_access_total", **counted) >= PRIME)
        assert total(scraped(init), "bpfexit_access_total", **counted) == PRIME
        status = status_of_service(init)
    root.run("systemctl", "disable", UNIT)
    assert set(re.findall(r"^Seccomp:\s+(\d)", status, re.MULTILINE)) == {"2"}  # a filter
    assert set(re.findall(r"^Uid:\s+(\d+)", status, re.MULTILINE)).isdisjoint({"0"})
    reading = f"{1 << CAPABILITIES['CAP_BPF']:016x}"
    assert set(re.findall(r"^CapPrm:\s+(\w+)", status, re.MULTILINE)) == {reading}


def status_of_service(init: int) -> str:
    """Return the status of all threads of the exporter."""
    main = inside(init, "systemctl", "show", "--property=MainPID", "--value", UNIT).stdout.strip()
    return inside(init, "sh", "-c", f"cat /proc/{main}/task/*/status").stdout

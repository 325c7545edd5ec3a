"""What another user than root gets, with which capabilities: it works, or says what it lacks."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from bpfexit.exporting.package_data import package_data
from bpfexit.host.capabilities import CAPABILITIES
from tests.counting import next_line, started, write
from tests.integration.exporting import exporter, scraped, total
from tests.integration.interrupting import interrupted_when
from tests.waiting import eventually

pytestmark = pytest.mark.usefixtures("needs_bpf", "needs_root", "needs_kvm")

CHECKOUT = Path(__file__).resolve().parents[2]
BPFEXIT = (sys.executable, "-m", "bpfexit")
SMALLEST = ("bpf", "perfmon", "dac_read_search")
NOBODY = "65534"


def as_nobody(capabilities: tuple[str, ...]) -> tuple[str, ...]:
    """Return a command that starts another as nobody, with these capabilities and no more."""
    sets = ",".join(["-all", *(f"+{each}" for each in capabilities)])
    user = ("setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups")
    given = (f"--inh-caps={sets}", f"--ambient-caps={sets}", f"--bounding-set={sets}")
    return (*user, *given, "--no-new-privs")


def run(*arguments: str, capabilities: tuple[str, ...]) -> subprocess.CompletedProcess[str]:
    """Run bpfexit as nobody with these capabilities."""
    return subprocess.run(
        [*as_nobody(capabilities), *BPFEXIT, *arguments],
        cwd="/",
        env=os.environ | {"PYTHONPATH": str(CHECKOUT), "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        check=False,
    )


def checks(*capabilities: str) -> dict[str, dict[str, str]]:
    done = run("doctor", "-j", capabilities=capabilities)
    assert done.stderr == ""
    return {each["name"]: each for each in map(json.loads, done.stdout.splitlines())}


@pytest.fixture
def guest() -> Iterator[int]:
    """Run a guest, as root; return its process."""
    with started([*BPFEXIT, "testguest", "--rate", "500", "--wait"]) as process:
        next_line(process)
        write(process, "\n")
        yield process.pid
        process.terminate()


def test_the_smallest_set_counts_and_says_what_it_costs(guest: int) -> None:
    options = ("-j", "-p", str(guest), "0.5")
    done = interrupted_when(has_exits, "top", *options, under=as_nobody(SMALLEST))
    assert f"whether process {guest} runs a KVM guest is unknown without CAP_SYS_PT" in done.stderr


def has_exits(text: str) -> bool:
    return any(row["count"] for line in text.splitlines() for row in json.loads(line)["rows"])


def test_the_set_of_the_unit_exports_and_is_the_smallest(guest: int) -> None:
    (granted,) = re.findall(r"^AmbientCapabilities=(.*)$", package_data("unit"), re.MULTILINE)
    assert {f"CAP_{each.upper()}" for each in SMALLEST} == set(granted.split())
    with exporter("-p", str(guest), under=as_nobody(SMALLEST)) as url:
        eventually(lambda: total(scraped(url), "bpfexit_access_total") > 0)


READING = ("bpf",)


def test_after_attaching_the_exporter_keeps_what_reading_takes_in_every_thread(guest: int) -> None:
    alone = ("env", "OPENBLAS_NUM_THREADS=1")
    with exporter("-p", str(guest), under=(*as_nobody(SMALLEST), *alone)) as url:
        scraped(url)
        before = total(scraped(url), "bpfexit_access_total")
        eventually(lambda: total(scraped(url), "bpfexit_access_total") > before)
        held = {line for pid in exporters(url) for line in permitted(pid)}
    assert held == {f"{1 << CAPABILITIES['CAP_BPF']:016x}"}


def exporters(url: str) -> list[int]:
    """Return the process that listens at an address."""
    port = url.rsplit(":", maxsplit=1)[-1].split("/", maxsplit=1)[0]
    line = subprocess.run(
        ["ss", "-Hltnp", f"sport = :{port}"], capture_output=True, text=True, check=True
    ).stdout
    return [int(pid) for pid in re.findall(r"pid=(\d+)", line)]


def permitted(pid: int) -> list[str]:
    """Return the permitted set of each thread."""
    texts = [(task / "status").read_text() for task in Path(f"/proc/{pid}/task").iterdir()]
    return [word for text in texts for word in re.findall(r"^CapPrm:\s+(\w+)$", text, re.MULTILINE)]


def test_with_the_right_to_look_nothing_is_doubted(guest: int) -> None:
    done = run("top", "-j", "-p", str(guest), "0.5", "1", capabilities=(*SMALLEST, "sys_ptrace"))
    assert done.returncode == 0, done.stderr
    assert "unknown" not in done.stderr


def test_a_process_without_a_guest_is_said_to_have_none() -> None:
    arguments = ("top", "-j", "-p", str(os.getpid()), "0.2", "1")
    done = run(*arguments, capabilities=(*SMALLEST, "sys_ptrace"))
    assert f"process {os.getpid()} is not running a KVM guest" in done.stderr
    done = run(*arguments, capabilities=SMALLEST)
    assert "is not running" not in done.stderr


def test_the_doctor_says_what_each_missing_capability_costs() -> None:
    smallest = checks(*SMALLEST)
    assert "fail" not in {each["status"] for each in smallest.values()}
    assert smallest["programs"]["status"] == "ok"
    assert smallest["CAP_DAC_READ_SEARCH"]["status"] == "ok"
    for name in ("CAP_SYS_PTRACE", "CAP_SYS_ADMIN"):
        assert smallest[name]["status"] == "warn"
        assert smallest[name]["fact"].startswith("missing, so ")


@pytest.mark.parametrize(
    ("lacks", "check", "says"),
    [
        ("bpf", "capabilities", "this process lacks CAP_BPF"),
        ("perfmon", "capabilities", "this process lacks CAP_PERFMON"),
        ("dac_read_search", "tracefs", "this process may not read /sys/kernel/tracing"),
    ],
)
def test_without_one_of_the_smallest_set_the_doctor_names_it(
    lacks: str, check: str, says: str
) -> None:
    found = checks(*(each for each in SMALLEST if each != lacks))[check]
    assert (found["status"], found["fact"]) == ("fail", says)

"""`bpfexit guests` beside a tiny guest and a real QEMU."""

import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from tests.counting import BPFEXIT, next_line, started, write
from tests.integration import qemu
from tests.requirements import lacking

pytestmark = pytest.mark.usefixtures("needs_kvm")

UUID = "9c1ad29c-6fb7-4ad3-a3ab-a25a3cbb7f4a"
NAME = "prod\x1b]0;evil\x07-postgres-primary-of-the-shop-web-3"
NO_MAP_SOURCES = 65534
NOT_EXAMINED = (
    r"bpfexit: [0-9]+ process(es)? could not be examined(; run as root or with CAP_SYS_PTRACE)?\n"
)


def guests(*arguments: str, **options: Any) -> subprocess.CompletedProcess[str]:
    command = [*BPFEXIT, "guests", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, **options)


@pytest.fixture(scope="module")
def tiny() -> Iterator[int]:
    """Run a guest of our own that waits, with two vCPUs."""
    with started([*BPFEXIT, "testguest", "--wait", "--vcpus", "2", "--rounds", "1"]) as process:
        next_line(process)
        yield process.pid
        write(process, "\n")
        process.communicate()


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """Run QEMU, which has created its vCPUs as soon as it answers."""
    if not shutil.which("qemu-system-x86_64"):
        lacking("testbed", "qemu-system-x86_64 is not installed (Debian: qemu-system-x86)")
    folder = tmp_path_factory.mktemp("qemu")
    options = ("-smp", "3", "-uuid", UUID.upper(), "-qmp", "stdio")
    with ExitStack() as stack:
        process = stack.enter_context(
            qemu.running(folder, f"guest={NAME}", *options, stdout=subprocess.PIPE)
        )
        assert process.stdout
        assert b"QMP" in process.stdout.readline()
        yield process.pid


def test_json_has_what_is_known_and_null(tiny: int, machine: int) -> None:
    done = guests("-j")
    assert done.returncode == 0
    assert re.fullmatch(f"({NOT_EXAMINED})?", done.stderr)  # root may not see all, either
    found = {each["pid"]: each for each in map(json.loads, done.stdout.splitlines())}
    own, theirs = found[tiny], found[machine]
    assert own["vcpus"] == 2
    assert (own["vmm"], own["memory_bytes"], own["uuid"]) == (None, None, None)
    for each in (own, theirs):
        assert each["schema"] == "bpfexit.guests/2"
        assert each["resident_bytes"] > 1 << 20
        assert 0 < each["running_s"] < 86400
    del theirs["resident_bytes"], theirs["running_s"]
    assert theirs == {
        "schema": "bpfexit.guests/2",
        "name": NAME,
        "named_by": "qemu",
        "pid": machine,
        "vmm": "qemu",
        "vcpus": 3,
        "memory_bytes": 64 << 20,
        "uuid": UUID,
    }


def test_a_pipe_has_all_columns_and_whole_names_as_text(tiny: int, machine: int) -> None:
    text = guests(env=os.environ | {"COLUMNS": "40"}).stdout
    heading, *lines = text.splitlines()
    assert heading.split() == [
        *("guest", "named", "by", "PID", "VMM", "vCPUs", "memory", "resident", "running", "UUID")
    ]
    (line,) = [each for each in lines if f" {machine} " in each]
    name, named_by, *_ = line.split()
    assert name == "prod\\x1b]0;evil\\x07-postgres-primary-of-the-shop-web-3"
    assert named_by == "qemu"
    assert line.endswith(UUID)
    assert all(each.isprintable() for each in lines)


def test_a_terminal_of_80_columns_shows_both_ends_of_a_name(tiny: int, machine: int) -> None:
    text = guests(env=os.environ | {"COLUMNS": "80", "FORCE_COLOR": "1"}).stdout
    lines = re.sub(r"\x1b\[[0-9;]*m", "", text).splitlines()
    assert max(map(len, lines)) <= 80
    (line,) = [each for each in lines if f" {machine} " in each]
    assert re.match(r"prod.*….*-web-3  ", line)


@pytest.mark.usefixtures("needs_root")
def test_what_another_user_may_not_see_is_counted(tiny: int, machine: int) -> None:
    nobody: dict[str, Any] = {"user": NO_MAP_SOURCES, "group": NO_MAP_SOURCES, "extra_groups": []}
    done = guests(**nobody)
    assert (done.returncode, done.stdout) == (0, "No KVM guest was found.\n")
    assert re.fullmatch(NOT_EXAMINED, done.stderr)
    assert guests("-j", **nobody).stdout == ""


@pytest.mark.usefixtures("needs_root")
def test_no_guest_is_one_sentence_and_no_line_of_json() -> None:
    """In a PID namespace of its own, in which no guest runs."""
    alone = ["unshare", "--pid", "--fork", "--mount-proc"]
    for arguments, text in (([], "No KVM guest is running.\n"), (["-j"], "")):
        done = subprocess.run(
            [*alone, *BPFEXIT, "guests", *arguments], capture_output=True, text=True, check=False
        )
        assert (done.returncode, done.stdout, done.stderr) == (0, text, "")

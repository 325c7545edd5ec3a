"""Names of guests, as QEMU is told them; whoever starts a guest can write anything."""

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bpfexit.errors import BpfexitError
from bpfexit.host import guests
from bpfexit.host.guests import vm_name

PID = 4711


def process(root: Path, *arguments: str | bytes) -> None:
    folder = root / "proc" / str(PID)
    folder.mkdir(parents=True, exist_ok=True)
    raw = [os.fsencode(argument) for argument in arguments]
    (folder / "cmdline").write_bytes(b"".join(argument + b"\0" for argument in raw))


@pytest.mark.parametrize(
    ("value", "name"),
    [
        ("web1", "web1"),
        ("web1,process=qemu:web1", "web1"),
        ("guest=web1", "web1"),
        ("guest=web1,debug-threads=on", "web1"),
        ("debug-threads=on,guest=web1", "web1"),
        ("guest=a,,b,debug-threads=on", "a,b"),
        ("a,,b", "a,b"),
        ("guest=a=b", "a=b"),
        ("guest=,debug-threads=on", "pid:4711"),
        ("debug-threads=on", "pid:4711"),
        ("guest=\x1b[2Jx\n", "\x1b[2Jx\n"),  # cleaned where it is shown, not here
    ],
)
@pytest.mark.parametrize("option", ["-name", "--name"])
def test_the_name_that_qemu_is_given(tmp_path: Path, option: str, value: str, name: str) -> None:
    process(tmp_path, "qemu-system-x86_64", "-m", "1G", option, value, "-nographic")
    assert vm_name(PID, tmp_path) == name


@pytest.mark.parametrize(
    "arguments",
    [(), ("qemu",), ("qemu", "-name"), ("qemu", "-name", ""), ("firecracker", "--id", "x")],
)
def test_without_a_name_the_process_is_it(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    process(tmp_path, *arguments)
    assert vm_name(PID, tmp_path) == "pid:4711"


def test_a_process_that_is_gone(tmp_path: Path) -> None:
    assert vm_name(PID, tmp_path) == "pid:4711"


def test_bytes_that_are_no_text_are_replaced(tmp_path: Path) -> None:
    process(tmp_path, "qemu", "-name", b"guest=\xff\xfe")
    assert vm_name(PID, tmp_path) == "\ufffd\ufffd"


@given(st.lists(st.binary().filter(lambda part: b"\0" not in part)))
def test_no_command_line_breaks_it(
    tmp_path_factory: pytest.TempPathFactory, arguments: list[bytes]
) -> None:
    root = tmp_path_factory.mktemp("root")
    process(root, "qemu", "-name", *arguments)
    assert vm_name(PID, root)


def test_a_process_with_a_guest_holds_it_open(tmp_path: Path) -> None:
    folder = tmp_path / "proc" / str(PID) / "fd"
    folder.mkdir(parents=True)
    (folder / "0").symlink_to("/dev/null")
    assert guests.doubts([PID], tmp_path) == [
        "process 4711 has no KVM guest now; exits are counted as soon as it has"
    ]
    (folder / "9").symlink_to("anon_inode:kvm-vm")
    assert guests.doubts([PID], tmp_path) == []


def test_a_process_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(BpfexitError, match="there is no process 4711: `pgrep -a qemu`"):
        guests.doubts([PID], tmp_path)

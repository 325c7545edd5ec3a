"""Names of guests, as their processes are started; whoever starts a guest can write anything."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bpfexit.guests.guest_names import NAME_LIMIT, guest_name, guest_vmm
from tests.unit.fake_processes import put

PID = 4711
QEMU = "/usr/bin/qemu-system-x86_64"


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
        ("guest= \t\n", "pid:4711"),
        ("debug-threads=on", "pid:4711"),
        ("guest=default_web1,debug-threads=on", "default_web1"),
        ("guest=\x1b[2Jx\n", "\x1b[2Jx\n"),  # cleaned where it is shown, not here
    ],
)
@pytest.mark.parametrize("option", ["-name", "--name"])
def test_the_name_that_qemu_is_given(tmp_path: Path, option: str, value: str, name: str) -> None:
    put(tmp_path, PID, QEMU, "-m", "1G", option, value, "-nographic")
    reader = "" if name == "pid:4711" else "qemu"
    assert guest_name(PID, tmp_path) == (name, reader)


@pytest.mark.parametrize(
    "arguments",
    [(), ("qemu",), ("qemu", "-name"), ("qemu", "-name", ""), ("sleep", "--id", "x")],
)
def test_without_a_name_the_process_is_it(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    put(tmp_path, PID, *arguments)
    assert guest_name(PID, tmp_path) == ("pid:4711", "")


def test_a_process_that_is_gone(tmp_path: Path) -> None:
    assert guest_name(PID, tmp_path) == ("pid:4711", "")
    assert guest_vmm(PID, tmp_path) == ""


def test_bytes_that_are_no_text_are_replaced(tmp_path: Path) -> None:
    put(tmp_path, PID, "qemu", "-name", b"guest=\xff\xfe")
    assert guest_name(PID, tmp_path) == ("\ufffd\ufffd", "qemu")


def test_a_name_of_four_kib_ends_in_an_ellipsis(tmp_path: Path) -> None:
    put(tmp_path, PID, "qemu", "-name", "x" * 4096)
    assert guest_name(PID, tmp_path)[0] == "x" * (NAME_LIMIT - 1) + "…"
    put(tmp_path, PID, "qemu", "-name", "x" * NAME_LIMIT)
    assert guest_name(PID, tmp_path)[0] == "x" * NAME_LIMIT


@pytest.mark.parametrize(
    ("path", "name"),
    [
        (r"/machine.slice/machine-qemu\x2d3\x2dweb01.scope/libvirt/emulator", "web01"),
        (r"/machine.slice/machine-qemu\x2d3\x2dweb01.scope", "web01"),
        (r"/machine.slice/machine-qemu\x2d12\x2dmy\x2dweb.local.scope/vcpu0", "my-web.local"),
        (r"/machine.slice/machine-qemu\x2dweb01.scope/emulator", "web01"),  # libvirt before 1.3.3
        (r"/prod.slice/machine-ch\x2d7\x2dcloud.scope/libvirt", "cloud"),
        (r"/machine.slice/machine-qemu\x2dembed\x2d0a1b2c3d\x2d1\x2dx.scope", "x"),
        (r"/machine.slice/machine-qemu\x2d1\x2dw\xc3\xa4b.scope", "wäb"),
        (r"/machine.slice/machine-qemu\x2d1\x2da-b.scope", "a/b"),
        (r"/machine.slice/machine-qemu\x2d1\x2d\xff.scope", "\ufffd"),
        ("/machine/qemu-3-web01.libvirt-qemu/emulator", "web01"),
        ("/machine/prod.partition/web01.libvirt-qemu/vcpu0", "web01"),
        ("/machine/_qemu-4-_hidden.libvirt-qemu", "_hidden"),
    ],
)
@pytest.mark.parametrize(
    "lines", ["0::{}\n", "12:cpuset:/\n4:cpu,cpuacct:{0}\n1:name=systemd:/\n0::/\n"]
)
def test_the_cgroup_that_libvirt_makes(tmp_path: Path, lines: str, path: str, name: str) -> None:
    put(tmp_path, PID, QEMU, "-m", "1G", cgroup=lines.format(path))
    assert guest_name(PID, tmp_path) == (name, "libvirt")


@pytest.mark.parametrize(
    "cgroup",
    [
        "",
        "0::/\n",
        "rubbish",
        "0::/user.slice/user-0.slice/session-1.scope\n",
        "0::/machine.slice/machine-debian.scope\n",  # systemd-nspawn
        "0::/machine.slice/machine-lxc\\x2d3\\x2dweb01.scope\n",
        "0::/kubepods.slice/cri-containerd-0123.scope\n",
    ],
)
def test_other_cgroups_name_no_guest(tmp_path: Path, cgroup: str) -> None:
    put(tmp_path, PID, QEMU, cgroup=cgroup)
    assert guest_name(PID, tmp_path)[1] == ""


def test_the_command_line_is_asked_before_the_cgroup(tmp_path: Path) -> None:
    cgroup = "0::/machine.slice/machine-qemu\\x2d3\\x2dweb.scope\n"
    put(tmp_path, PID, QEMU, "-name", "guest=web/01", cgroup=cgroup)
    assert guest_name(PID, tmp_path) == ("web/01", "qemu")


LAUNCHER = ("--qemu-timeout", "300s", "--name", "web", "--uid", "12", "--namespace", "prod")


@pytest.mark.parametrize(
    "launcher",
    [
        ("/usr/bin/virt-launcher-monitor", *LAUNCHER),
        ("/usr/bin/virt-launcher", *LAUNCHER),
        ("/usr/bin/tini", "--", "/usr/bin/virt-launcher-monitor", *LAUNCHER),
        ("/usr/bin/virt-launcher", "--name=web", "--namespace=prod"),
    ],
)
def test_kubevirts_launcher_above_says_the_name(tmp_path: Path, launcher: tuple[str, ...]) -> None:
    put(tmp_path, PID, "/usr/libexec/qemu-kvm", "-S", parent=4000)
    put(tmp_path, 4000, "/usr/sbin/virtqemud", "-f", parent=3000)
    put(tmp_path, 3000, *launcher, parent=2000)
    assert guest_name(PID, tmp_path) == ("prod_web", "kubevirt")


@pytest.mark.parametrize("launcher", [("virt-launcher", "--name", "web"), ("virt-handler",)])
def test_other_parents_say_no_name(tmp_path: Path, launcher: tuple[str, ...]) -> None:
    put(tmp_path, PID, "qemu", parent=3000)
    put(tmp_path, 3000, *launcher, parent=PID)  # a ring, as a race with a new PID can make one
    assert guest_name(PID, tmp_path) == ("pid:4711", "")


@pytest.mark.parametrize(
    "arguments",
    [
        ("firecracker", "--api-sock", "/run/f.sock", "--id", "vm-1"),
        ("/firecracker", "--id=vm-1", "--start-time-us=1", "--start-time-cpu-us=2"),
        ("/opt/firecracker-v1.9.0-x86_64", "--no-api", "--id", "vm-1"),
    ],
)
def test_firecrackers_id(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    put(tmp_path, PID, *arguments)
    assert guest_name(PID, tmp_path) == ("vm-1", "firecracker")
    assert guest_vmm(PID, tmp_path) == "firecracker"


@pytest.mark.parametrize(
    ("arguments", "name"),
    [
        (("--api-socket", "path=/run/vms/web01.sock"), "web01"),
        (("--api-socket", "/run/web01.sock", "--cpus", "boot=1"), "web01"),
        (("--api-socket=/run/web01.sock",), "web01"),
        (("--api-socket", "/run/vc/vm/0123abc/clh-api.sock"), "0123abc"),
        (("--api-socket", "/run/cloud-hypervisor.sock"), "pid:4711"),
        (("--api-socket", "fd=3", "--platform", "uuid=u-1,serial_number=s-1"), "s-1"),
        (("--platform", "num_pci_segments=1,uuid=u-1"), "u-1"),
        (("--kernel", "vmlinux"), "pid:4711"),
    ],
)
def test_what_tells_cloud_hypervisors_guests_apart(
    tmp_path: Path, arguments: tuple[str, ...], name: str
) -> None:
    put(tmp_path, PID, "/usr/bin/cloud-hypervisor", *arguments)
    reader = "" if name == "pid:4711" else "cloud-hypervisor"
    assert guest_name(PID, tmp_path) == (name, reader)
    assert guest_vmm(PID, tmp_path) == "cloud-hypervisor"


@pytest.mark.parametrize(
    ("program", "vmm"),
    [
        (QEMU, "qemu"),
        ("/usr/libexec/qemu-kvm", "qemu"),
        ("kvm", "qemu"),
        ("/nix/store/x/.qemu-system-x86_64-wrapped", "qemu"),
        ("/usr/bin/crosvm", "crosvm"),
        ("", ""),
    ],
)
def test_the_program_that_runs_the_guest(tmp_path: Path, program: str, vmm: str) -> None:
    put(tmp_path, PID, program, "-m", "64")
    assert guest_vmm(PID, tmp_path) == vmm


PROGRAMS = st.sampled_from([b"qemu", b"firecracker", b"cloud-hypervisor", b"virt-launcher"])
WORDS = st.binary(max_size=20).filter(lambda part: b"\0" not in part)
OPTIONS = st.sampled_from(
    [b"-name", b"--id", b"--api-socket", b"--platform", b"--namespace", b"--name"]
)


@given(PROGRAMS, st.lists(OPTIONS | WORDS), st.text(max_size=60))
def test_no_command_line_and_no_cgroup_breaks_it(
    tmp_path_factory: pytest.TempPathFactory, program: bytes, arguments: list[bytes], cgroup: str
) -> None:
    root = tmp_path_factory.mktemp("root")
    put(root, PID, program, *arguments, parent=PID)
    (root / "proc" / str(PID) / "cgroup").write_bytes(cgroup.encode(errors="surrogatepass"))
    name, _ = guest_name(PID, root)
    assert name.strip()
    assert len(name) <= NAME_LIMIT
    name.encode()


@pytest.mark.parametrize(
    "command",
    [
        ("/usr/bin/python3", "/opt/venv/bin/bpfexit", "testguest", "--name", "demo"),
        ("python3", "-m", "bpfexit", "testguest", "--mix", "pio", "--name=demo"),
    ],
)
def test_a_guest_of_our_own_has_the_name_it_is_given(tmp_path: Path, command: list[str]) -> None:
    put(tmp_path, PID, *command)
    assert guest_name(PID, tmp_path) == ("demo", "bpfexit")


@pytest.mark.parametrize(
    "command", [("python3", "bpfexit", "top", "testguest"), ("bpfexit", "testguest")]
)
def test_another_command_of_our_own_is_no_guest(tmp_path: Path, command: list[str]) -> None:
    put(tmp_path, PID, *command, "--id", "demo")
    assert guest_name(PID, tmp_path) == (f"pid:{PID}", "")

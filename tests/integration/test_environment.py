"""Whatever it is started in, bpfexit works, or says in one sentence what is missing."""

import json
import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from bpfexit.host import preflight

pytestmark = pytest.mark.usefixtures("needs_bpf", "needs_root")

BPFEXIT = str(Path(sys.executable).parent / "bpfexit")
PATIENCE_S = 120
TOP = (BPFEXIT, "top", "-j", "0.2", "1")
LIVE = (TOP, (BPFEXIT, "record", "-o", "/dev/null", "-d", "0.2"), (BPFEXIT, "slow", "-d", "0.2"))


def run(
    *command: str, cwd: Path | None = None, environment: dict[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command,
        cwd=cwd,
        env=os.environ | (environment or {}),
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE_S,
    )


def shell(script: str, *command: str) -> subprocess.CompletedProcess[str]:
    """Run a command after a script, in a mount namespace of its own."""
    return run("unshare", "--mount", "sh", "-c", f"{script} && exec {shlex.join(command)}")


def assert_counted(done: subprocess.CompletedProcess[str]) -> None:
    assert (done.returncode, done.stderr.count("\n")) == (0, 1), done.stderr
    assert json.loads(done.stdout)["schema"] == "bpfexit.snapshot/2"


def assert_one_sentence(done: subprocess.CompletedProcess[str], says: str) -> None:
    assert done.returncode == 1, done.stderr
    (line,) = done.stderr.splitlines()
    assert line.startswith("bpfexit: ")
    assert says in line


def test_a_long_working_directory(tmp_path: Path) -> None:
    place = tmp_path / ("x" * 200) / ("y" * 200)
    place.mkdir(parents=True)
    assert_counted(run(*TOP, cwd=place))


def test_a_working_directory_that_is_deleted(tmp_path: Path) -> None:
    place = tmp_path / "gone"
    place.mkdir()
    assert_counted(run("sh", "-c", f"rmdir {place} && exec {shlex.join(TOP)}", cwd=place))


@pytest.mark.parametrize(
    ("name", "value"),
    [("ARCH", "arm64"), ("BCC_LINUX_VERSION_CODE", "x"), ("BCC_KERNEL_SOURCE", "/"), ("CPATH", "")],
)
def test_no_variable_that_bcc_or_clang_obeys_matters(tmp_path: Path, name: str, value: str) -> None:
    (tmp_path / "linux").mkdir()
    (tmp_path / "linux" / "types.h").write_text("#error of the caller's include folder\n")
    assert_counted(run(*TOP, environment={name: value or str(tmp_path)}))


def test_a_command_gets_directory_and_environment_as_they_were(tmp_path: Path) -> None:
    script = "pwd; env -0 | sort -z | tr '\\0' '\\n'"
    place = tmp_path / ("x" * 200) / ("y" * 200)
    place.mkdir(parents=True)
    variables = {"ARCH": "arm64", "ODD": "\x1b=a b"}
    plain = run("sh", "-c", script, cwd=place, environment=variables)
    recorded = run(
        BPFEXIT,
        "record",
        "-o",
        "exits.jsonl",
        "--",
        "sh",
        "-c",
        script,
        cwd=place,
        environment=variables,
    )
    assert recorded.returncode == 0, recorded.stderr
    assert recorded.stdout == plain.stdout
    assert (place / "exits.jsonl").stat().st_size


@pytest.mark.parametrize("command", LIVE)
@pytest.mark.parametrize("place", ["/proc", "/sys"])
def test_a_file_system_that_is_not_mounted(place: str, command: tuple[str, ...]) -> None:
    done = shell(f"umount --lazy {place}", *command)
    assert_one_sentence(done, f"{place} is not mounted or cannot be read: mount it as root with")


def test_the_doctor_without_proc_says_nothing_untrue() -> None:
    done = shell("umount --lazy /proc", BPFEXIT, "doctor")
    assert (done.returncode, done.stderr) == (1, "")
    failed = [line for line in done.stdout.splitlines() if line.startswith("FAIL")]
    assert len(failed) == 1
    assert "/proc is not mounted" in failed[0]
    assert "lacks" not in done.stdout


def test_a_guest_needs_no_proc(needs_kvm: None) -> None:
    done = shell("umount --lazy /proc", BPFEXIT, "testguest", "-j", "--exits", "100")
    assert (done.returncode, done.stderr) == (0, "")
    vcpu = json.loads(done.stdout)["vcpus"][0]
    assert sum(each["count"] for each in vcpu["operations"]) == 100


def test_no_dev_null() -> None:
    bare = "mount -t tmpfs tmpfs /dev"
    assert_counted(shell(bare, *TOP))
    done = shell(bare, BPFEXIT, "report", "/nowhere")
    assert (done.returncode, "Traceback" in done.stderr) == (2, False)
    done = shell(bare, "sh", "-c", f"{BPFEXIT} --version <&-")
    assert_one_sentence(done, "a standard stream is closed and /dev/null cannot be opened")


@pytest.mark.parametrize("limit", [5, 12, 25, 33])
def test_few_open_files(limit: int) -> None:
    done = run("prlimit", f"--nofile={limit}", *TOP)
    assert_one_sentence(done, f"this process may open {limit} files, and bpfexit needs up to 64")


def test_the_open_files_asked_for_suffice(needs_bpf: preflight.Ready) -> None:
    assert_counted(run("prlimit", "--nofile=64", *TOP))

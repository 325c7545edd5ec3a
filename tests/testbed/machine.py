"""Boot a fetched kernel under TCG and run a script inside, as root, on this host's files.

The guest's root is the host's own file system, read-only below overlays that
vanish with the guest; one folder, `share`, is the host's for writing too. What
the script prints comes back through files there: the console loses output.
"""

import os
import shlex
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.testbed.kernels import CHECKOUT, TOOL_PATH, Kernel, TestbedError

# An emulated AMD CPU, the only one whose virtualization extension TCG emulates.
CPU = "EPYC,+svm,+npt"
# The host's files once more, with a page cache: without one, importing bcc takes 4 s each time.
# Not /usr as a whole: vng has put the kernel's modules below it.
CACHED_TAG = "host"
CACHED_ROOT = "/run/host"
CACHED = (
    "/usr/bin",
    "/usr/lib/python3",
    f"/usr/lib/python{sys.version_info.major}.{sys.version_info.minor}",
    "/usr/lib/x86_64-linux-gnu",
)
# One thread for all CPUs: with one for each, TCG now and then executes a patched instruction
# halfway, as tracepoints are switched on, and the kernel panics ("Oops: int3").
ACCELERATOR = "tcg,thread=single"
# One CPU, one nanosecond an instruction: the guest's clock counts instructions.
ICOUNT = "-icount shift=0"
CONSOLE_TAIL = 4000  # characters of the console log that an error quotes
POLL_S = 0.1

MOUNTS = """\
set -eu
cd /
mkdir -p {cached_root}
mount -t 9p -o trans=virtio,version=9p2000.L,msize=512000,cache=loose,ro {tag} {cached_root}
for folder in {folders}; do
    mkdir -p "$folder"
    mount --bind "{cached_root}$folder" "$folder"
done
"""

# Runs inside, around the caller's script, whose time ends here too: should this side be killed,
# a guest that nobody waits for still comes to its end.
SESSION = """\
mountpoint -q /sys/kernel/tracing || mount -t tracefs tracefs /sys/kernel/tracing
modprobe {module}
export PYTHON={python} SHARE={share} PATH={bin}:$PATH PYTHONDONTWRITEBYTECODE=1 {environment}
cd {checkout}
set +e
timeout {timeout} bash "$SHARE/script" </dev/null >"$SHARE/stdout" 2>"$SHARE/stderr"
echo $? >"$SHARE/status.part"
mv "$SHARE/status.part" "$SHARE/status"
"""


@dataclass(frozen=True)
class Result:
    """What a script did inside: its exit status and all it wrote."""

    status: int
    stdout: str
    stderr: str
    console: str

    def check(self) -> "Result":
        """Return self, or raise with what the script said if it failed."""
        if self.status:
            said = f"{self.stdout[-CONSOLE_TAIL:]}\n{self.stderr[-CONSOLE_TAIL:]}"
            raise TestbedError(f"the script inside exited with {self.status}:\n{said}")
        return self


def missing() -> str | None:
    """Return what keeps the testbed from running here, or None."""
    if os.geteuid():
        return "the testbed needs root, to read every file of its guest's root"
    for tool, package in (
        ("qemu-system-x86_64", "qemu-system-x86"),
        ("busybox", "busybox-static"),
        ("depmod", "kmod"),
        ("file", "file"),
        ("trace-cmd", "trace-cmd"),
    ):
        if not shutil.which(tool, path=TOOL_PATH):
            return f"{tool} is not installed (Debian: {package}; `make testbed` installs it)"
    if not _vng().exists():
        return f"{_vng()} is not installed (`make setup` installs virtme-ng)"
    return None


def boot(
    kernel: Kernel,
    command: Sequence[str] | str,
    *,
    share: Path,
    cpus: int = 2,
    memory: str = "2G",
    icount: bool = False,
    swap_mib: int = 0,
    timeout: float = 600,
    environment: dict[str, str] | None = None,
    on_output: Callable[[str], None] | None = None,
) -> Result:
    """Boot the kernel, run the command inside as root, and return what it did.

    `command` is an argument list or the text of a bash script. It starts in the
    checkout, with `PYTHON` (the Python that runs this, its folder first on the
    path), `SHARE` and `environment` set, tracefs mounted and kvm_amd loaded.
    `share` appears inside under its own path, for reading and writing. With
    `icount` there is one CPU, and one nanosecond of the guest's clock is one
    instruction. With `swap_mib` there is an empty disk of that size, /dev/sda once `ata_piix` and
    `sd_mod` are loaded. `timeout` is in seconds, boot included. `on_output` gets the
    standard output as it is written.
    """
    reason = missing()
    if reason:
        raise TestbedError(reason)
    share = share.resolve()
    prepare(share, command)
    session = session_script("kvm_amd", share, timeout, environment or {})
    (share / "boot").write_text(f"#!/bin/bash\n{_mounts(kernel)}{session}")
    (share / "boot").chmod(0o755)
    disk = _disk(share, swap_mib) if swap_mib else ""
    vng = _vng_command(kernel, share, 1 if icount else cpus, memory, icount, disk)
    run_to_end(vng, share, share / "console", timeout, on_output)
    return result(share)


def _vng() -> Path:
    return Path(sys.executable).parent / "vng"


def prepare(share: Path, command: Sequence[str] | str) -> None:
    """Write the script to `share` and remove what an earlier run left there."""
    if share.is_relative_to(CHECKOUT):
        raise TestbedError(f"{share} lies in the checkout, which is read-only inside")
    for name in ("stdout", "stderr", "status", "console"):
        (share / name).unlink(missing_ok=True)
    (share / "script").write_text(command if isinstance(command, str) else shlex.join(command))


def _mounts(kernel: Kernel) -> str:
    # The guest hides /var/tmp, /run and some more: what it needs is mounted wherever it lies.
    venv = [sys.prefix] if sys.prefix != sys.base_prefix else []
    folders = [*filter(os.path.isdir, CACHED), *venv, str(kernel.root), str(CHECKOUT)]
    return MOUNTS.format(cached_root=CACHED_ROOT, tag=CACHED_TAG, folders=shlex.join(folders))


def session_script(module: str, share: Path, timeout: float, environment: dict[str, str]) -> str:
    """Return what runs the script in `share` inside, and leaves there what it did."""
    return SESSION.format(
        module=module,
        python=shlex.quote(sys.executable),
        bin=shlex.quote(str(Path(sys.executable).parent)),
        share=shlex.quote(str(share)),
        timeout=timeout,
        checkout=shlex.quote(str(CHECKOUT)),
        environment=" ".join(f"{name}={shlex.quote(text)}" for name, text in environment.items()),
    )


def _disk(share: Path, mib: int) -> str:
    """Make an empty disk in `share`; return QEMU's options for it."""
    path = share / "disk"
    with path.open("wb") as file:
        file.truncate(mib << 20)
    return (
        f"-drive file={path},format=raw,if=none,id=disk "
        "-device piix3-ide,id=ide -device ide-hd,bus=ide.0,drive=disk"
    )


def _vng_command(
    kernel: Kernel, share: Path, cpus: int, memory: str, icount: bool, disk: str
) -> list[str]:
    """Return the command that boots; 9p at once, as virtiofsd costs 5 s before it fails."""
    qemu = [
        f"-cpu {CPU} -accel {ACCELERATOR}",
        f"-fsdev local,id={CACHED_TAG},path=/,security_model=none,readonly=on,multidevs=remap",
        f"-device virtio-9p-pci,fsdev={CACHED_TAG},mount_tag={CACHED_TAG}",
        ICOUNT if icount else "",
        disk,
    ]
    return [
        *(str(_vng()), "--run", str(kernel.image), "--verbose"),
        *("--disable-kvm", "--force-9p", "--cpus", str(cpus), "--memory", memory),
        *("--rwdir", str(share), "--exec", str(share / "boot")),
        f"--qemu-opts={' '.join(qemu)}",
    ]


def run_to_end(
    emulator: list[str],
    share: Path,
    screen: Path,
    timeout: float,
    on_output: Callable[[str], None] | None = None,
    environment: dict[str, str] | None = None,
) -> None:
    """Run the emulator to its end, or kill it and its children when its time is up.

    What it prints goes to the file `screen`.
    """
    path = f"{_vng().parent}:{TOOL_PATH}"
    with screen.open("wb") as output:
        process = subprocess.Popen(
            emulator,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            env=os.environ | {"PATH": path} | (environment or {}),
            start_new_session=True,  # a process group of its own, to end QEMU by
        )
    ended = threading.Event()
    follower = threading.Thread(target=_follow, args=(share / "stdout", ended, on_output))
    follower.start()
    try:
        process.wait(timeout)
    except subprocess.TimeoutExpired as error:
        raise TestbedError(f"not done after {timeout:.0f} s; {_console_tail(share)}") from error
    finally:
        _end(process)
        ended.set()
        follower.join()


def _end(process: subprocess.Popen[bytes]) -> None:
    """Kill what is left of the process group (nothing, if all went well)."""
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _follow(path: Path, ended: threading.Event, on_output: Callable[[str], None] | None) -> None:
    """Hand over what is appended to the file until the run has ended."""
    if on_output is None:
        return
    while not (path.exists() or ended.is_set()):
        time.sleep(POLL_S)
    if not path.exists():
        return
    with path.open(errors="replace", newline="") as file:
        last = False
        while not last:
            last = ended.wait(POLL_S)
            on_output(file.read())


def result(share: Path) -> Result:
    """Read the files the guest left; without an exit status it died on the way."""
    if not (share / "status").exists():
        raise TestbedError(f"the guest ended before its script did; {_console_tail(share)}")
    stdout, stderr, console = (
        (share / name).read_text(errors="replace") for name in ("stdout", "stderr", "console")
    )
    return Result(int((share / "status").read_text()), stdout, stderr, console)


def _console_tail(share: Path) -> str:
    console = (share / "console").read_text(errors="replace")[-CONSOLE_TAIL:]
    stderr = share / "stderr"
    said = stderr.read_text(errors="replace")[-CONSOLE_TAIL:] if stderr.exists() else ""
    return f"its console's end:\n{console}\nits script's standard error:\n{said}"

"""Boot a fetched kernel under Bochs, which emulates Intel VMX, and run a script inside, as root.

QEMU's TCG has no VMX. Bochs executes some hundred million instructions a second, and its clock
ticks 10 ns an instruction however long that takes, so latencies are the same every run. The disks
are those of `bochs_disks`; what the script leaves in `share` is read from there after power-off.
Of all models of Bochs 2.7 that have VMX, none has APICv (virtualized APIC registers, posted
interrupts).
"""

import contextlib
import os
import re
import shlex
import shutil
import tempfile
import threading
import tty
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from tests.testbed import bochs_disks, machine
from tests.testbed.kernels import TOOL_PATH, Kernel, TestbedError
from tests.testbed.machine import Result

INSTRUCTION_NS = 10
"""What an instruction takes, by the clock inside."""

# Its models with several CPUs, and newer ones, are too slow.
CONFIGURATION = """\
config_interface: textconfig
display_library: term
plugin_ctrl: unmapped=1, biosdev=1, serial=1, extfpuirq=1, speaker=0, parallel=0, gameport=0
cpu: model=corei7_haswell_4770, count=1, ips={ips}, ignore_bad_msrs=1, reset_on_triple_fault=0
memory: guest=2048, host=2048
romimage: file=/usr/share/bochs/BIOS-bochs-latest
vgaromimage: file=/usr/share/bochs/VGABIOS-lgpl-latest
vga: extension=vbe, update_freq=1
ata0: enabled=1, ioaddr1=0x1f0, ioaddr2=0x3f0, irq=14
ata0-master: type=disk, path={boot}, mode=flat
ata0-slave: type=disk, path={base}, mode=volatile, journal={journal}
ata1: enabled=1, ioaddr1=0x170, ioaddr2=0x370, irq=15
ata1-master: type=disk, path={data}, mode=flat
boot: disk
com1: enabled=1, mode=file, dev={serial}
clock: sync=none, time0=utc
pci: enabled=1, chipset=i440fx
mouse: enabled=0
log: {log}
panic: action=report
error: action=ignore
info: action=ignore
debug: action=ignore
"""

# Debian's Bochs starts in its debugger.
DEBUGGER = "continue\n"

TERMINAL = re.compile(r'connected to screen "([^"]+)"')

# The terminal's size and kind, for a screen that nobody looks at.
ENVIRONMENT = {"TERM": "xterm", "LINES": "30", "COLUMNS": "100"}

BOOT = """\
#!/bin/bash
export PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root TERM=dumb
mkdir -p {share}
mount --bind {data}/share {share}
(
{session}
)
sync
echo o >/proc/sysrq-trigger
sleep 100
"""

TOOLS = (
    ("bochs", "bochs"),
    ("busybox", "busybox-static"),
    ("cpio", "cpio"),
    ("debootstrap", "debootstrap"),
    ("debugfs", "e2fsprogs"),
    ("depmod", "kmod"),
    ("isohybrid", "syslinux-utils"),
    ("mke2fs", "e2fsprogs"),
    ("trace-cmd", "trace-cmd"),
    ("xorriso", "xorriso"),
)
FILES = (
    ("/usr/lib/x86_64-linux-gnu/bochs/plugins/libbx_term_gui.so", "bochs-term"),
    ("/usr/share/bochs/BIOS-bochs-latest", "bochsbios"),
    ("/usr/share/bochs/VGABIOS-lgpl-latest", "vgabios"),
    (str(bochs_disks.ISOLINUX), "isolinux"),
    (str(bochs_disks.LDLINUX), "syslinux-common"),
)


def missing() -> str | None:
    """Return what keeps the VMX testbed from running here, or None."""
    if os.geteuid():
        return "the VMX testbed needs root, to install a root file system"
    lacking = [package for tool, package in TOOLS if not shutil.which(tool, path=TOOL_PATH)]
    lacking += [package for file, package in FILES if not os.path.exists(file)]
    if lacking:
        return f"missing Debian packages: {', '.join(lacking)} (`make testbed-vmx` installs them)"
    return None


def boot(
    kernel: Kernel,
    command: Sequence[str] | str,
    *,
    share: Path,
    timeout: float = 600,
    environment: dict[str, str] | None = None,
    on_output: Callable[[str], None] | None = None,
    packages: Sequence[str] = bochs_disks.PACKAGES,
) -> Result:
    """Boot the kernel, run the command inside as root, and return what it did.

    All is as in `machine.boot`, but for the vendor's module, which is kvm_intel, and the
    output, which comes at the end, and the Debian packages inside.
    """
    reason = missing()
    if reason:
        raise TestbedError(reason)
    share = share.resolve()
    machine.prepare(share, command)
    session = machine.session_script("kvm_intel", share, timeout, environment or {})
    script = BOOT.format(share=shlex.quote(str(share)), data=bochs_disks.DATA, session=session)
    base = bochs_disks.base_disk(packages)
    with tempfile.TemporaryDirectory(dir=base.parent, prefix="run-") as folder:
        work = Path(folder)
        data = bochs_disks.data_disk(kernel, share, script, work)
        bochs = _bochs_command(base, bochs_disks.boot_disk(kernel, work), data, share, work)
        try:
            with _reading_terminal(work / "output"):
                machine.run_to_end(bochs, share, work / "output", timeout, environment=ENVIRONMENT)
        finally:
            bochs_disks.take_results(data, share)
    result = machine.result(share)
    if on_output:
        on_output(result.stdout)
    return result


def _bochs_command(base: Path, boot: Path, data: Path, share: Path, work: Path) -> list[str]:
    configuration, debugger = work / "bochsrc", work / "debugger"
    debugger.write_text(DEBUGGER)
    configuration.write_text(
        CONFIGURATION.format(
            ips=10**9 // INSTRUCTION_NS,
            base=base,
            boot=boot,
            data=data,
            journal=work / "journal",
            serial=share / "console",
            log=work / "log",
        )
    )
    return ["bochs", "-q", "-f", str(configuration), "-rc", str(debugger)]


@contextmanager
def _reading_terminal(output: Path) -> Iterator[None]:
    """Read what Bochs draws on a terminal of its own, or it stops once that is full.

    It prints the terminal's name.
    """
    ended = threading.Event()

    def read() -> None:
        terminal = None
        while terminal is None and not ended.wait(machine.POLL_S):
            terminal = _terminal(output)
        if terminal:
            _read_away(terminal)

    reader = threading.Thread(target=read)
    reader.start()
    try:
        yield
    finally:
        ended.set()
        reader.join()


def _terminal(output: Path) -> str | None:
    found = TERMINAL.search(output.read_text(errors="replace")) if output.exists() else None
    return found[1] if found else None


def _read_away(terminal: str) -> None:
    fd = os.open(terminal, os.O_RDONLY | os.O_NOCTTY)
    with contextlib.suppress(OSError):  # EIO: Bochs has ended
        tty.setraw(fd)
        while os.read(fd, 4096):
            pass
    os.close(fd)

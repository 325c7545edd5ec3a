"""A root folder with the few files that say what a machine is like."""

import shutil
from pathlib import Path

from bpfexit.host import kvm, preflight
from bpfexit.host.tracefs import MOUNT_POINT

ALL_CAPABILITIES = "000001ffffffffff"
NO_CAPABILITIES = "0000000000000000"

EXIT_FORMAT = """\
name: kvm_exit
format:
\tfield:unsigned short common_type;\toffset:0;\tsize:2;\tsigned:0;

\tfield:unsigned int exit_reason;\toffset:8;\tsize:4;\tsigned:0;
\tfield:unsigned long guest_rip;\toffset:16;\tsize:8;\tsigned:0;
\tfield:u32 isa;\toffset:24;\tsize:4;\tsigned:0;
\tfield:unsigned int vcpu_id;\toffset:56;\tsize:4;\tsigned:0;
"""


class Machine:
    """A machine on which everything is well, until a test takes something away."""

    def __init__(self, root: Path, module: str = "kvm_intel") -> None:
        self.root = root
        self.tracefs = root / MOUNT_POINT
        self.privileges(ALL_CAPABILITIES)
        self.namespace("user", "user:[4026531837]")
        self.namespace("pid", "pid:[4026531836]")
        self.write("proc/sys/kernel/osrelease", "6.1.0-28-amd64\n")
        self.write("proc/sys/net/core/bpf_jit_enable", "1\n")
        self.write("sys/kernel/security/lockdown", "[none] integrity confidentiality\n")
        self.write("sys/kernel/btf/vmlinux", "types")
        self.write("dev/kvm", "")
        for name in ("kvm", module):
            (root / "sys/module" / name).mkdir(parents=True)
        backend = kvm.backend(root)
        for event in preflight.needed_events(backend) if backend else ():
            self.event(event)

    def write(self, path: str, text: str) -> None:
        place = self.root / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text)

    def remove(self, path: str) -> None:
        place = self.root / path
        shutil.rmtree(place) if place.is_dir() else place.unlink()

    def privileges(self, effective: str, uid: int = 0) -> None:
        ids = "\t".join([str(uid)] * 4)
        self.write("proc/self/status", f"Name:\tpython3\nUid:\t{ids}\nCapEff:\t{effective}\n")

    def namespace(self, kind: str, name: str) -> None:
        link = self.root / "proc/self/ns" / kind
        link.parent.mkdir(parents=True, exist_ok=True)
        link.unlink(missing_ok=True)
        link.symlink_to(name)

    def event(self, name: str, text: str = EXIT_FORMAT) -> None:
        self.write(f"{MOUNT_POINT}/events/kvm/{name}/format", text)

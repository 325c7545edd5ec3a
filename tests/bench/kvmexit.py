"""bcc's kvmexit on a host that it does not know: made to run on AMD's SVM.

As it is, it refuses to run on AMD; on Linux 5.16 and later it takes the vCPU's
address for the reason, the raw tracepoint's first argument until then; it
ignores reasons from 69 on, which most of SVM's are; and it needs kernel headers,
of which it makes no use. What it does for an exit stays as it is.

`python -m tests.bench.kvmexit` runs it until Ctrl-C.
"""

import os
import shutil
import sys
import tempfile
from pathlib import Path

from bpfexit.tracer import plan as programs

SCRIPT = "kvmexit-bpfcc"
REASONS = 128
"""SVM's up to 0x7f. MMIO, an NPF, is 0x400: that it ignores."""

CHANGES = (
    ('if b"Intel" in arch_info:', "if True:"),
    ("if BPF.support_raw_tracepoint_in_module():", "if False:"),
    ("#define REASON_NUM 69", f"#define REASON_NUM {REASONS}"),
    ("exit_reasons = (", f"exit_reasons = tuple(map(hex, range({REASONS}))) or ("),
)


def adapted(text: str) -> str:
    """Return the script with all changes. Raises `ValueError` when it is not the one known."""
    for old, new in CHANGES:
        if text.count(old) != 1:
            raise ValueError(f"this {SCRIPT} is another: it has {old!r} {text.count(old)} times")
        text = text.replace(old, new)
    return text


def main() -> None:
    """Become the script, with stand-in headers."""
    path = shutil.which(SCRIPT)
    if path is None:
        sys.exit(f"{SCRIPT} is not installed (Debian: bpfcc-tools)")
    folder = Path(tempfile.mkdtemp())
    headers = folder / "headers"
    shutil.copytree(programs.folder() / "headers", headers)
    (headers / "include/linux/delay.h").touch()
    script = folder / "kvmexit.py"
    script.write_text(adapted(Path(path).read_text()))
    os.environ["BCC_KERNEL_SOURCE"] = str(headers)
    os.execv(sys.executable, [sys.executable, str(script)])  # noqa: S606


if __name__ == "__main__":
    main()

"""Capabilities of the exporter: attaching takes more than reading does, so it gives some up."""

from bpfexit.host.capabilities import capabilities_of_threads, keep_capabilities
from bpfexit.run.session import tell

READING = ("CAP_BPF",)
"""Before Linux 5.19, also a map that is open is read with this alone."""

NAMES = ("CAP_SYS_PTRACE", "CAP_DAC_READ_SEARCH")
"""Together, they show which processes of other users are guests."""

COST = ("CAP_SYS_ADMIN",)
"""Enables the kernel's BPF statistics."""

FILES_OF_OTHERS = ("CAP_DAC_OVERRIDE",)
"""Sockets of QEMU and libvirt, and the folder of the text file, belong to other users."""

_OTHER_THREAD = (
    "a thread of numpy's OpenBLAS keeps all capabilities: start bpfexit with OPENBLAS_NUM_THREADS=1"
)


def give_up_rights(*, files_of_others: bool) -> None:
    """Keep what reading takes, of what there is; report what is kept. Before threads start."""
    held = capabilities_of_threads()
    names = NAMES if NAMES[0] in held else ()
    kept = (*READING, *names, *COST, *(FILES_OF_OTHERS if files_of_others else ()))
    try:
        keep_capabilities(kept)
    except OSError as error:  # a filter of system calls forbids it
        tell(f"cannot give up capabilities ({error.strerror}): allow the system call capset")
        return
    left = capabilities_of_threads()
    tell(f"capabilities after attaching: {', '.join(sorted(left & {*kept})) or 'none'}")
    if left - {*kept}:
        tell(_OTHER_THREAD)

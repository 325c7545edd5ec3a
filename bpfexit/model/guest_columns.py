"""The number columns of guests and vCPUs: where their own time went, and what guests take."""

from math import isnan

from bpfexit.model import numbers
from bpfexit.model.column import Column


def _memory(size: float) -> str:
    return "" if isnan(size) else numbers.memory(int(size))


TIME_COLUMNS: tuple[Column, ...] = (
    Column(
        "in_guest",
        "guest%",
        "share",
        numbers.share,
        "in_guest",
        "share of its vCPUs' time in the guest",
        width=5,
    ),
    Column(
        "away",
        "away%",
        "share",
        numbers.share,
        "away",
        "share of its vCPUs' time in KVM, in QEMU or waiting for a CPU",
        width=5,
    ),
    Column(
        "in_kvm",
        "KVM%",
        "share",
        numbers.share,
        "in_kvm",
        "share of its vCPUs' time in KVM, HLT excluded",
        width=5,
    ),
    Column(
        "in_user",
        "QEMU%",
        "share",
        numbers.share,
        "in_user",
        "share of its vCPUs' time in user space (QEMU)",
        width=5,
    ),
    Column(
        "steal",
        "steal%",
        "share",
        numbers.share,
        "steal",
        "share of its vCPUs' time waiting for a CPU",
        width=5,
    ),
    Column(
        "idle",
        "idle%",
        "share",
        numbers.share,
        "idle",
        "share of its vCPUs' time in HLT, or not running",
        width=5,
    ),
)
"""The columns of guests and vCPUs alone: where their own time went, 100 % in all."""

USAGE_COLUMNS: tuple[Column, ...] = (
    Column(
        "vcpu_cpu",
        "vCPU%",
        "share",
        numbers.share,
        "vcpu_cpu",
        "CPU time of its vCPU threads, as a share of one CPU",
        min_width=112,
        width=5,
    ),
    Column(
        "vcpu_wait",
        "vCPU wait%",
        "share",
        numbers.share,
        "vcpu_wait",
        "share of their time that its vCPU threads waited for a CPU, as the scheduler counts",
        min_width=200,
        width=5,
    ),
    Column(
        "emulator_cpu",
        "emul%",
        "share",
        numbers.share,
        "emulator_cpu",
        "CPU time of QEMU's other threads, as a share of one CPU",
        min_width=112,
        width=5,
    ),
    Column(
        "emulator_wait",
        "emul wait%",
        "share",
        numbers.share,
        "emulator_wait",
        "share of their time that these threads waited for a CPU",
        min_width=200,
        width=5,
    ),
    Column(
        "iothread_cpu",
        "iothr%",
        "share",
        numbers.share,
        "iothread_cpu",
        "CPU time of its iothreads, as a share of one CPU",
        min_width=128,
        width=5,
    ),
    Column(
        "iothread_wait",
        "iothr wait%",
        "share",
        numbers.share,
        "iothread_wait",
        "share of their time that its iothreads waited for a CPU",
        min_width=200,
        width=5,
    ),
    Column(
        "vhost_cpu",
        "vhost%",
        "share",
        numbers.share,
        "vhost_cpu",
        "CPU time of its vhost workers, as a share of one CPU",
        min_width=128,
        width=5,
    ),
    Column(
        "vhost_wait",
        "vhost wait%",
        "share",
        numbers.share,
        "vhost_wait",
        "share of their time that its vhost workers waited for a CPU",
        min_width=200,
        width=5,
    ),
    Column(
        "throttled",
        "throttled%",
        "share",
        numbers.share,
        "throttled",
        "time for which CPU quotas stopped its vCPU threads, as a share of one CPU",
        min_width=200,
        width=5,
    ),
    Column(
        "resident",
        "memory",
        "bytes",
        _memory,
        "resident_bytes",
        "its memory in RAM, with hugetlb pages",
        min_width=112,
        width=7,
    ),
    Column(
        "swapped",
        "swap%",
        "share",
        numbers.share_if_any,
        "swapped",
        "share of its memory that is in swap",
        min_width=120,
        width=5,
    ),
)
"""The columns of guests alone: CPU time and waiting of all their threads, memory."""

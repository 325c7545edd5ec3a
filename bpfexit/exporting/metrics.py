"""Every metric of `bpfexit export`, defined once."""

from dataclasses import replace

from bpfexit.exporting.family import Metric, Type

EXITS = Metric(
    "bpfexit_exits_total",
    Type.COUNTER,
    "VM exits by reason. Absent where KVM has no kvm_exit event.",
    ("guest", "reason"),
)
EXIT_SECONDS = Metric(
    "bpfexit_exit_seconds_total",
    Type.COUNTER,
    "Time in VM exits other than HLT, by where it was spent: kvm, user (the VMM) or wait.",
    ("guest", "reason", "part"),
)
EXIT_DURATION = Metric(
    "bpfexit_exit_duration_seconds",
    Type.HISTOGRAM,
    "Time from kvm_exit to kvm_entry of the exits other than HLT, by class of reason.",
    ("guest", "class"),
)
VCPU_SECONDS = Metric(
    "bpfexit_vcpu_seconds_total",
    Type.COUNTER,
    "Time of the vCPUs: in the guest, in kvm, in user space, halted or waiting.",
    ("guest", "state"),
)
VCPU_SECONDS_BY_VCPU = replace(VCPU_SECONDS, labels=("guest", "vcpu", "state"))
USERSPACE_EXITS = Metric(
    "bpfexit_userspace_exits_total",
    Type.COUNTER,
    "Exits that the VMM handled in user space.",
    ("guest", "reason"),
)
ACCESSES = Metric(
    "bpfexit_access_total",
    Type.COUNTER,
    "Accesses to I/O ports, MMIO addresses and MSRs.",
    ("guest", "kind", "address", "access", "device"),
)
THREAD_CPU = Metric(
    "bpfexit_thread_cpu_seconds_total",
    Type.COUNTER,
    "CPU time of the guest's threads: vcpu, iothread, vhost, or emulator for all others.",
    ("guest", "role"),
)
THREAD_WAIT = Metric(
    "bpfexit_thread_wait_seconds_total",
    Type.COUNTER,
    "Time for which these threads waited for a CPU.",
    ("guest", "role"),
)
THROTTLED = Metric(
    "bpfexit_throttled_seconds_total",
    Type.COUNTER,
    "Time for which CPU quotas of cgroups stopped the vCPU threads, added up over CPUs.",
    ("guest",),
)
MEMORY = Metric(
    "bpfexit_memory_bytes",
    Type.GAUGE,
    "Memory of the guest's process: resident, with hugetlb pages, or swapped.",
    ("guest", "state"),
)
FINDING = Metric(
    "bpfexit_finding",
    Type.GAUGE,
    "1 while a rule of `bpfexit diagnose` reports the guest, over the last minutes.",
    ("guest", "rule"),
)
GUEST_INFO = Metric(
    "bpfexit_guest_info",
    Type.GAUGE,
    "1 for each guest, with what other exporters know it by.",
    ("guest", "pid", "uuid", "domain", "namespace", "pod", "vmm"),
)
LOST = Metric(
    "bpfexit_lost_events_total",
    Type.COUNTER,
    "Events that the other metrics lack or have in part, by cause.",
    ("cause",),
)
OWN_CPU = Metric(
    "bpfexit_own_cpu_seconds_total", Type.COUNTER, "CPU time of this process, all threads."
)
OWN_PER_EXIT = Metric(
    "bpfexit_own_seconds_per_exit",
    Type.GAUGE,
    "Time that the BPF programs took per exit when it was last measured.",
)
READINGS = Metric("bpfexit_readings_total", Type.COUNTER, "How often the kernel's maps were read.")
LAST_READING = Metric(
    "bpfexit_last_reading_timestamp_seconds",
    Type.GAUGE,
    "Unix time to which the counts are complete.",
)
BUILD_INFO = Metric(
    "bpfexit_build_info",
    Type.GAUGE,
    "1, with the versions of bpfexit and the kernel, and the KVM module.",
    ("version", "kernel", "backend"),
)

METRICS: tuple[Metric, ...] = (
    EXITS,
    EXIT_SECONDS,
    EXIT_DURATION,
    VCPU_SECONDS,
    USERSPACE_EXITS,
    ACCESSES,
    THREAD_CPU,
    THREAD_WAIT,
    THROTTLED,
    MEMORY,
    FINDING,
    GUEST_INFO,
    LOST,
    OWN_CPU,
    OWN_PER_EXIT,
    READINGS,
    LAST_READING,
    BUILD_INFO,
)
"""In the order in which they are exposed."""

"""Tables of names are in order, without overlap, and have what monitoring tools read."""

from itertools import pairwise

import pytest

from bpfexit.events.msr import MSR
from bpfexit.model.address_names import address_name
from bpfexit.names.cpuid import LEAVES
from bpfexit.names.hypercalls import HYPERV, KVM
from bpfexit.names.mmio import MEMORY, MEMORY_OF
from bpfexit.names.msrs import MSRS
from bpfexit.names.ports import PORTS
from bpfexit.names.ranges import Ranges


@pytest.mark.parametrize(
    "table",
    [MSRS, PORTS, MEMORY, LEAVES, *MEMORY_OF.values()],
    ids=["msrs", "ports", "memory", "cpuid", *MEMORY_OF],
)
def test_ranges_are_in_order_and_do_not_overlap(table: Ranges) -> None:
    assert all(first <= last for first, last, _ in table)
    assert all(before[1] < after[0] for before, after in pairwise(table))
    assert all(name.strip() for *_, name in table)


@pytest.mark.parametrize(
    ("number", "name"),
    [
        (0xC0010299, "AMD_RAPL_POWER_UNIT"),
        (0xC001029B, "AMD_PKG_ENERGY_STATUS"),
        (0xC00102B1, "AMD_CPPC_ENABLE"),
        (0xC00102B3, "AMD_CPPC_REQ"),
        (0xC0000301, "AMD64_PERF_CNTR_GLOBAL_CTL"),
        (0x3FD, "CORE_C6_RESIDENCY"),
        (0x3F9, "PKG_C6_RESIDENCY"),
        (0x60D, "PKG_C2_RESIDENCY"),
        (0x620, "UNCORE_RATIO_LIMIT"),
    ],
)
def test_msrs_of_power_and_performance_tools(number: int, name: str) -> None:
    found = address_name(MSR, number)
    assert found
    assert (found.text, found.is_guess) == (name, False)


def test_hypercalls_and_leaves_of_kvm_and_hyperv() -> None:
    assert KVM[10] == "SEND_IPI"
    assert HYPERV[0x3] == "HvFlushVirtualAddressList"
    names = {first: name for first, _, name in LEAVES}
    assert names[0x40000003] == "Hyper-V features"
    assert names[0x80000022] == "PerfMonV2"

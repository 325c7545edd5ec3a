"""Reasons of Intel, AMD and PVM in the same classes, and faults told from MMIO."""

import pytest

from bpfexit.events.apic import APIC
from bpfexit.events.mmio import MMIO
from bpfexit.events.userspace import USERSPACE
from bpfexit.model.distribution import distributions
from bpfexit.model.view import Query, view
from bpfexit.names.reasons import Isa
from tests.unit.builders import Exits, pio, snapshot

INTEL = (
    pio(0x608, ns=(10,) * 3),
    Exits("EPT_VIOLATION", ns=(20,) * 5),
    Exits("EPT_MISCONFIG", ns=(30,) * 7, kind=MMIO, address=0xD0000000),
    Exits("HLT", ns=(1000,) * 2),
)
AMD = (
    pio(0x608, ns=(10,) * 3, reason="io", isa=Isa.SVM),
    Exits("npf", ns=(20,) * 5, isa=Isa.SVM),
    Exits("npf", ns=(30,) * 4, kind=MMIO, address=0xD0000000, isa=Isa.SVM),
    Exits("npf", ns=(30,), kind=APIC, address=0xB0, isa=Isa.SVM),
    Exits("npf", ns=(30,) * 2, kind=USERSPACE, address=6, isa=Isa.SVM),
    Exits("hlt", ns=(1000,) * 2, isa=Isa.SVM),
)


@pytest.mark.parametrize("exits", [INTEL, AMD], ids=["intel", "amd"])
def test_classes_are_the_same_on_both(exits: tuple[Exits, ...]) -> None:
    lines = view(snapshot(*exits), Query(("class",))).lines
    found = [(line.reason_class, line.numbers["count"], line.reason) for line in lines]
    assert found == [("mmio", 7, None), ("fault", 5, None), ("io", 3, None), ("halt", 2, None)]
    times = {line.reason_class: line.numbers["time"] for line in lines}
    assert times["mmio"] == pytest.approx(210 / 340)
    assert times["halt"] != times["halt"]  # nan: idle time is in no share


def test_a_class_may_have_its_reasons_below_and_histograms() -> None:
    mixed = snapshot(*INTEL[:2], *AMD[:2])
    lines = view(mixed, Query(("class", "reason"), "name")).lines
    assert [(line.reason_class, line.reason) for line in lines] == [
        ("io", "IO_INSTRUCTION"),
        ("io", "io"),
        ("fault", "EPT_VIOLATION"),
        ("fault", "npf"),
    ]
    found = {each.labels["class"]: each.exits for each in distributions(mixed, Query(("class",)))}
    assert found == {"io": 6, "fault": 10}

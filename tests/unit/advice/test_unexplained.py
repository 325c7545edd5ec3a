"""Nothing expensive is silent: every reason at 30 % of a vCPU is named."""

from pathlib import Path

import pytest

from bpfexit.advice.diagnosis import GuestDiagnosis, diagnose
from bpfexit.events.vmgexit import VMGEXIT
from bpfexit.names import reason_tables
from bpfexit.names.reasons import IDLE, Isa
from tests.unit.advice.cases import SVM, VMX, mmio, seen
from tests.unit.advice.recordings import CASES, found, recording
from tests.unit.builders import Exits

REASONS = [
    (isa, backend, name)
    for isa, backend, table in (
        (Isa.VMX, VMX, reason_tables.VMX),
        (Isa.SVM, SVM, reason_tables.SVM),
    )
    for name in table.values()
    if name not in IDLE and name != "vmgexit"
]
MILLISECOND, SECOND = 10**6, 10**9


def one(*exits: Exits, backend: str = VMX, duration_s: float = 1.0) -> GuestDiagnosis:
    (guest,) = diagnose(seen(*exits, backend=backend, duration_s=duration_s)).guests
    return guest


@pytest.mark.parametrize("ns", [3_000, 100_000, 20 * MILLISECOND])
@pytest.mark.parametrize(("isa", "backend", "name"), REASONS)
def test_every_reason_at_30_percent_of_a_vcpu_is_named(
    isa: Isa, backend: str, name: str, ns: int
) -> None:
    exits = Exits(name, isa=isa, ns=(ns,) * (3 * SECOND // 10 // ns))
    quiet = Exits("HLT", isa=isa, ns=(1000,), tid=102, vcpu=1)
    guest = one(exits, quiet, backend=backend)
    named = [line.reason for finding in guest.findings for line in finding.lines]
    assert named == [name]
    assert guest.findings[0].share == pytest.approx(0.3, abs=0.001)


def test_a_single_guest_of_sev_es_is_named_as_unclear() -> None:
    guest = one(Exits("vmgexit", isa=Isa.SVM, ns=(100_000,) * 3000), backend=SVM)
    assert guest.findings == ()
    assert "30.0%" in guest.expected[0].advice.title


def test_the_inner_code_tells_a_guest_of_sev_es_that_is_idle_from_a_busy_one() -> None:
    def vmgexits(code: int) -> GuestDiagnosis:
        inner = Exits("vmgexit", isa=Isa.SVM, ns=(100_000,) * 3000, kind=VMGEXIT, address=code)
        return one(inner, backend=SVM)

    halts, others = vmgexits(0x78), vmgexits(0x72)
    assert [finding.rule for finding in halts.findings] == ["halts"]
    assert len(halts.expected) == 0
    assert halts.vcpus[0].idle == 300 * MILLISECOND
    assert others.vcpus[0].idle == 0
    assert [finding.rule for finding in others.findings] == ["unexplained"]


@pytest.mark.parametrize("path", sorted(CASES.glob("22-*.jsonl")), ids=lambda path: path.stem)
def test_the_reasons_of_the_field_cases_are_named(path: Path) -> None:
    case = recording(path.stem)
    (finding,) = found(case).values()
    assert [line.reason for line in finding.lines] == [*case.reasons]
    assert finding.share == pytest.approx(0.3, abs=0.001)
    if finding.rule == "unexplained":
        numbers = finding.lines[0].numbers
        assert numbers["share"] == pytest.approx(0.3)
        assert numbers["rate"] == 3000
        assert numbers["mean"] == 100_000
        assert numbers["p99"] > 90_000


def test_below_5_percent_in_all_lines_above_1_percent_are_named_without_a_finding() -> None:
    guest = one(
        Exits("INVD", ns=(MILLISECOND // 10,) * 300),
        Exits("GDTR_IDTR", ns=(MILLISECOND // 10,) * 120),
        Exits("LDTR_TR", ns=(MILLISECOND // 10,) * 50),
    )
    assert guest.findings == ()
    assert guest.unexplained.share == pytest.approx(0.047)
    assert [line.reason for line in guest.unexplained.lines] == ["INVD", "GDTR_IDTR"]


def test_at_5_percent_they_are_a_finding_most_costly_first() -> None:
    guest = one(
        Exits("GDTR_IDTR", ns=(MILLISECOND // 10,) * 220),
        Exits("INVD", ns=(MILLISECOND // 10,) * 300),
    )
    (finding,) = guest.findings
    assert finding.rule == "unexplained"
    assert [line.reason for line in finding.lines] == ["INVD", "GDTR_IDTR"]


def test_shares_are_those_of_the_vcpu_that_suffers_most() -> None:
    rows = [
        Exits("INVD", ns=(MILLISECOND // 10,) * count, tid=101 + at, vcpu=at)
        for at, count in enumerate((30, 4000, 200))
    ]
    (finding,) = one(*rows).findings
    assert finding.share == pytest.approx(0.4)
    assert finding.lines[0].numbers["share"] == pytest.approx(0.4)


def test_many_addresses_that_are_cheap_alone_are_named_by_their_reason() -> None:
    rows = [
        Exits("EPT_MISCONFIG", ns=(MILLISECOND // 10,) * 8, **mmio(0xD0000000 + 4096 * at))
        for at in range(100)
    ]
    (finding,) = one(*rows).findings
    assert finding.lines[0].reason == "EPT_MISCONFIG"
    assert finding.lines[0].address is None
    assert finding.lines[0].numbers["share"] == pytest.approx(0.08)


def test_what_costs_less_is_not_named_and_idle_time_is_no_cost() -> None:
    guest = one(Exits("INVD", ns=(MILLISECOND // 10,) * 50), Exits("HLT", ns=(900 * MILLISECOND,)))
    assert guest.findings == ()
    assert guest.unexplained.lines == ()
    assert guest.unexplained.share == pytest.approx(0.005)


def test_without_times_a_rate_is_enough_to_be_named() -> None:
    guest = one(Exits(None, isa=Isa.NONE, no_latency=1000, **mmio(0xD0000000)), backend="kvm_pvm")
    (finding,) = guest.findings
    assert (finding.rule, finding.exits.count) == ("unexplained", 1000)
    few = one(Exits(None, isa=Isa.NONE, no_latency=999, **mmio(0xD0000000)), backend="kvm_pvm")
    assert few.findings == ()

"""Every rule speaks at its threshold, on each back end, and is silent just under it."""

from pathlib import Path

import pytest

from bpfexit.advice.diagnosis import diagnose
from bpfexit.advice.finding import CostOf, Finding
from bpfexit.advice.registry import RULES, rule
from bpfexit.advice.rule import SLOW_USER_NS
from bpfexit.advice.slow import LONG_NS
from bpfexit.model.snapshot import Snapshot
from tests.unit.advice.cases import CASES, ISAS, PVM, SVM, VMX, enough_ns, mmio, seen
from tests.unit.builders import Exits

SHAPES = [(name, backend) for name, case in CASES.items() for backend in case.backends]
PRICED = [
    (name, backend)
    for name, backend in SHAPES
    if (known := rule(name)) and known.least_share and name != "halts"
    if backend != PVM or CASES[name].user
]
"""Those whose cost is known."""


def findings(snapshot: Snapshot) -> dict[str, Finding]:
    """Return what is said of the one guest, by rule, what is expected included."""
    (guest,) = diagnose(snapshot).guests
    return {each.rule: each for each in (*guest.findings, *guest.expected)}


def made(name: str, backend: str, count: int, ns: int) -> Snapshot:
    case = CASES[name]
    return seen(case.exits(backend, count, ns), backend=backend, regions=case.regions)


def threshold(name: str) -> tuple[int, int]:
    """Return how many exits a second are enough with and without times, and how long each is."""
    known = rule(name)
    assert known
    ns = max(enough_ns(name), SLOW_USER_NS if name == "slow-user-space" else 0)
    count = -(-int(known.least_share * 1e9) // ns) if name == "slow-user-space" else 0
    return max(int(known.min_rate), count), ns


def test_every_rule_has_a_case_or_a_test_of_its_own() -> None:
    tests = "".join(path.read_text() for path in Path(__file__).parent.glob("test_*.py"))
    names = {each.name for each in RULES}
    assert set(CASES) <= names
    assert {name for name in names - set(CASES) if f'"{name}"' not in tests} == set()
    assert len(RULES) == len({each.name for each in RULES})


@pytest.mark.parametrize(("name", "backend"), SHAPES)
def test_it_speaks_at_its_threshold(name: str, backend: str) -> None:
    count, ns = threshold(name)
    found = findings(made(name, backend, count, ns))
    finding = found[name]
    assert finding.exits.count == count
    assert sum(line.numbers["count"] for line in finding.lines) == count
    assert finding.advice.title
    assert finding.advice.expected or (finding.advice.expect and finding.advice.rationale)
    expected = CostOf.EXITS if backend != PVM else CostOf.UNKNOWN
    if CASES[name].user and backend == PVM:
        expected = CostOf.USER
    if name == "halts":
        expected = CostOf.IDLE
    assert finding.cost_of is expected


@pytest.mark.parametrize(("name", "backend"), [each for each in SHAPES if each not in PRICED])
def test_it_is_silent_just_under_its_rate_where_times_are_unknown(name: str, backend: str) -> None:
    count, ns = threshold(name)
    assert name not in findings(made(name, backend, count - 1, ns))


def few(name: str) -> tuple[int, int]:
    """Return a tenth of the rate that is enough without times, and how long each is to last."""
    known = rule(name)
    assert known
    count = max(1, int(known.min_rate) // 10)
    return count, round(2e9 * known.least_share / count)


FEW = [each for each in PRICED if few(each[0])[1] < LONG_NS / 5 and each[0] != "slow-user-space"]
"""Those whose exits are then not so long that they are another rule's."""


@pytest.mark.parametrize(("name", "backend"), FEW)
def test_a_few_exits_that_cost_enough_are_enough(name: str, backend: str) -> None:
    assert name in findings(made(name, backend, *few(name)))


@pytest.mark.parametrize(("name", "backend"), PRICED)
def test_it_is_silent_where_the_exits_cost_too_little(name: str, backend: str) -> None:
    known = rule(name)
    assert known
    count, _ = threshold(name)
    cheap = int(known.least_share * 1e9 / count) - 1
    assert name not in findings(made(name, backend, count, cheap))


@pytest.mark.parametrize("each", RULES, ids=lambda each: each.name)
def test_it_says_all_that_explain_shows(each: object) -> None:
    texts = {name: value for name, value in vars(each).items() if isinstance(value, str)}
    assert all(text.strip() for text in texts.values())
    assert vars(each)["references"]
    assert all(page.startswith("https://") for page in vars(each)["references"])
    assert vars(each)["min_rate"] > 0


def test_thresholds_are_those_of_one_vcpu() -> None:
    known = rule("pm-timer")
    assert known
    half, ns = int(known.min_rate) // 2, enough_ns("pm-timer") * 3 // 4
    case = CASES["pm-timer"]
    rows = [case.exits("kvm_amd", half, ns) for _ in range(2)]
    apart = [type(row)(**{**vars(row), "tid": 101 + at}) for at, row in enumerate(rows)]
    assert "pm-timer" in findings(seen(*rows, backend="kvm_amd"))
    assert "pm-timer" not in findings(seen(*apart, backend="kvm_amd"))


def test_a_recording_of_no_time_gives_no_finding() -> None:
    count, ns = threshold("pm-timer")
    case = CASES["pm-timer"]
    assert findings(seen(case.exits("kvm_amd", count, ns), duration_s=0.0)) == {}


READ = mmio(0xFEE00390)
TWICE = [(VMX, "EPT_VIOLATION"), (SVM, "npf")]


def reads_and_faults(reason: str, backend: str, reads: int, faults: int) -> Snapshot:
    """Return a vCPU that reads the APIC page, beside exits for nothing of the same reason."""
    isa, ns = ISAS[backend], enough_ns("memory-faults")
    read = Exits(reason, isa=isa, ns=(ns,) * reads, **READ)
    return seen(read, Exits(reason, isa=isa, ns=(ns,) * faults), backend=backend)


@pytest.mark.parametrize(("backend", "reason"), TWICE)
@pytest.mark.parametrize(("reads", "faults"), [(5000, 4999), (5000, 5999), (20000, 21900)])
def test_two_exits_for_a_read_of_the_apic_page_are_no_faults_of_memory(
    backend: str, reason: str, reads: int, faults: int
) -> None:
    found = findings(reads_and_faults(reason, backend, reads, faults))
    assert "memory-faults" not in found
    assert found["local-apic"].exits.count == reads + faults


@pytest.mark.parametrize(("backend", "reason"), TWICE)
@pytest.mark.parametrize(("reads", "faults"), [(0, 5000), (5000, 6100), (5000, 3000), (20, 3000)])
def test_faults_on_memory_beside_reads_of_the_apic_page_are_reported(
    backend: str, reason: str, reads: int, faults: int
) -> None:
    found = findings(reads_and_faults(reason, backend, reads, faults))
    assert found["memory-faults"].exits.count == faults
    assert ("local-apic" in found) == (reads >= 2000)
    assert "local-apic" not in found or found["local-apic"].exits.count == reads


def test_the_reads_of_one_vcpu_explain_no_faults_of_another() -> None:
    ns = enough_ns("memory-faults")
    read = Exits(reason="EPT_VIOLATION", **READ, ns=(ns,) * 5000)
    other = Exits(reason="EPT_VIOLATION", ns=(ns,) * 5000, tid=102, vcpu=1)
    assert findings(seen(read, other))["memory-faults"].exits.count == 5000


def test_other_mmio_explains_no_faults() -> None:
    ns = enough_ns("memory-faults")
    read = Exits(reason="EPT_VIOLATION", **mmio(0xD0000000), ns=(ns,) * 5000)
    fault = Exits(reason="EPT_VIOLATION", ns=(ns,) * 5000)
    assert findings(seen(read, fault))["memory-faults"].exits.count == 5000


def test_no_rule_takes_accesses_without_an_exit_for_exits() -> None:
    count, _ = threshold("debug-port")
    assert "debug-port" in findings(made("debug-port", VMX, count, enough_ns("debug-port")))
    emulated = Exits(None, no_latency=count, **CASES["debug-port"].about)
    assert findings(seen(emulated)) == {}

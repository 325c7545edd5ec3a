"""Field cases of page faults: first touch, swap, split pages, migration; and their twins."""

import pytest

from bpfexit.model.rows import Rows
from tests.unit.advice.cases import seen
from tests.unit.advice.recordings import causes, fixes, found, recording, twin
from tests.unit.builders import Exits


def test_split_huge_pages_are_named_where_the_mitigation_is_on() -> None:
    case = recording("08")
    (finding,) = found(case).values()
    assert finding.share == pytest.approx(0.012, abs=0.0005)
    assert "nx_huge_pages" in finding.advice.title
    assert "nx_huge_pages_recovery_ratio" in fixes(finding)
    assert "/etc/modprobe.d" in finding.advice.changes[0].keep
    for parameters in ({"kvm.nx_huge_pages": "N"}, {}):
        (other,) = found(twin(case, facts={"parameters": parameters})).values()
        assert "nx_huge_pages" not in other.advice.title + fixes(other) + causes(other)
    assert "first time" in causes(finding)


@pytest.mark.parametrize(
    ("vmm", "asks"),
    [("qemu", True), ("cloud-hypervisor", True), ("firecracker", False), ("", False)],
)
def test_madvise_is_for_vmms_that_ask_for_huge_pages(vmm: str, asks: bool) -> None:
    faults = Exits("EPT_VIOLATION", ns=(8_000,) * 20_000)
    case = seen(faults, hugepages="never", guest={"vmm": vmm})
    assert ("madvise" in fixes(found(case)["memory-faults"])) is asks


def test_prefaulted_memory_may_be_swapped_out_and_huge_pages_may_not() -> None:
    case = twin(recording("32"), guest={"vmm": "cloud-hypervisor", "options": ()})
    assert "hugepages=on" in fixes(found(case)["memory-faults"])
    assert "prefault" not in fixes(found(case)["memory-faults"])


def test_numa_balancing_is_a_candidate_where_it_is_on() -> None:
    case = recording("21-one-pml-full")
    on = twin(case, facts={"settings": {"kernel.numa_balancing": "1"}})
    off = twin(case, facts={"settings": {"kernel.numa_balancing": "0"}})
    assert "NUMA balancing unmaps" in causes(found(on)["memory-faults"])
    assert "NUMA balancing unmaps" not in causes(found(off)["memory-faults"])
    ksm = twin(case, facts={"settings": {"ksm.run": "1"}})
    assert "KSM" in causes(found(ksm)["memory-faults"])
    assert "KSM" not in causes(found(case)["memory-faults"])


def test_one_full_log_of_dirty_pages_is_not_a_migration_and_many_are() -> None:
    case = recording("21-one-pml-full")
    (finding,) = found(case).values()
    assert finding.advice.title == "The guest's memory is being faulted in"
    assert "madvise > /sys/kernel/mm" in fixes(finding)
    assert "only 1 PML_FULL" in " ".join(finding.advice.context)

    def many(rows: Rows) -> None:
        log = rows.fields["count"] == 1
        rows.fields["count"][log] = rows.fields["timed"][log] = 400

    assert "migration" in found(twin(case, change=many))["memory-faults"].advice.title


def test_quick_faults_on_amd_may_be_write_protection() -> None:
    case = recording("21-one-pml-full.amd")
    (finding,) = found(case).values()
    assert "write-protected" in finding.advice.title
    assert causes(finding).startswith("write-protection: a migration")
    assert "first time" in causes(finding)
    on_intel = twin(case, backend="kvm_intel")
    assert "write-protected" not in found(on_intel)["memory-faults"].advice.title


def test_faults_of_milliseconds_fetch_pages() -> None:
    case = recording("32")
    (finding,) = found(case).values()
    assert finding.share == pytest.approx(0.75, abs=0.001)
    assert "have to be fetched" in finding.advice.title
    assert "swapped" in causes(finding)
    assert "userfaultfd" in causes(finding)
    none = twin(case, facts={"swap_bytes": 0, "swap_used_bytes": 0})
    assert "swap" not in causes(found(none)["memory-faults"])
    used = twin(case, facts={"swap_bytes": 8 << 30, "swap_used_bytes": 2 << 30})
    assert "2.00GiB used" in " ".join(found(used)["memory-faults"].advice.context)

    def quick(rows: Rows) -> None:
        rows.fields["count"] *= 250
        rows.fields["timed"] *= 250

    assert "fetched" not in found(twin(case, change=quick))["memory-faults"].advice.title


def test_a_crosvm_guest_gets_no_option_of_another_vmm() -> None:
    finding = found(recording("13"))["memory-faults"]
    assert finding.share == pytest.approx(0.0723, abs=0.0005)
    places = {change.where.value for change in finding.advice.changes}
    assert places <= {"host", "guest"}
    assert not any("qemu" in page or "libvirt" in page for page in finding.references)


def test_faults_of_hundreds_of_microseconds_are_a_finding_at_any_rate() -> None:
    case = seen(Exits("EPT_VIOLATION", ns=(444_000,) * 900), swap_bytes=1 << 30)
    finding = found(case)["memory-faults"]
    assert finding.share == pytest.approx(0.4, abs=0.001)
    assert "swap" in causes(finding)
    quick = seen(Exits("EPT_VIOLATION", ns=(4_440,) * 90_000), swap_bytes=1 << 30)
    assert "swap" not in causes(found(quick)["memory-faults"])

"""Each check on a machine that is well, and on one that lacks just what it looks for."""

import os
from pathlib import Path

import pytest

from bpfexit.host import preflight, tracefs
from bpfexit.host.check import Status
from bpfexit.host.kvm import BACKENDS, Backend
from bpfexit.tracer import plan as programs
from bpfexit.tracer.exit_fields import from_record
from tests.unit.fake_machine import EXIT_FORMAT, NO_CAPABILITIES, Machine
from tests.unit.host.checks import bad, check, refusal


@pytest.fixture
def mount_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(root: Path) -> Path:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(tracefs, "mount", refuse)


@pytest.mark.parametrize("module", ["kvm_intel", "kvm_amd"])
def test_nothing_is_wrong_with_a_machine_that_has_all(tmp_path: Path, module: str) -> None:
    machine = Machine(tmp_path, module)
    assert bad(machine) == {}
    ready = preflight.ready(tmp_path)
    assert (ready.backend.module, ready.tracefs, ready.notes) == (module, machine.tracefs, ())


def test_a_back_end_without_exits_is_warned_of_and_used(pvm: Machine) -> None:
    assert bad(pvm) == {"KVM": Status.WARN}
    assert "has no kvm_exit" in check(pvm, "KVM").fact
    assert preflight.ready(pvm.root).backend.module == "kvm_pvm"


@pytest.mark.parametrize("backend", BACKENDS)
def test_the_events_looked_for_are_those_attached_to(backend: Backend) -> None:
    fields = from_record("of this test")
    names = programs.exit_record_fields(programs.DEFAULT_VIEWS, fields)
    records = {event: dict.fromkeys(fields, 8) for event, fields in names.items()}
    if backend.has_exit_events:
        plan = programs.plan_with_exits(records, fields, False, 1, 1)
    else:
        plan = programs.plan_without_exits(records, 0, False, 1, 1)
    # The format of kvm_exit names the reasons, even if none is ever seen.
    attached = {each.event for each in plan.attachments if each.group == "kvm"} | {"kvm_exit"}
    assert set(preflight.needed_events(backend)) == attached
    assert set(preflight.EXIT_FIELDS) == set(names["kvm_exit"])


@pytest.mark.parametrize(
    ("text", "status"),
    [
        ("[none] integrity confidentiality", Status.OK),
        ("none [integrity] confidentiality", Status.OK),
        ("none integrity [confidentiality]", Status.FAIL),
    ],
)
def test_lockdown(intel: Machine, text: str, status: Status) -> None:
    intel.write("sys/kernel/security/lockdown", text)
    assert check(intel, "lockdown").status is status


def test_a_kernel_without_lockdown_is_fine(intel: Machine) -> None:
    intel.remove("sys/kernel/security/lockdown")
    assert bad(intel) == {}


@pytest.mark.parametrize(
    ("release", "status"),
    [
        ("4.19.0-27-amd64", Status.FAIL),
        ("5.4.0", Status.FAIL),
        ("5.5.0", Status.WARN),
        ("5.9.16", Status.WARN),
        ("5.10.0", Status.OK),
        ("7.2-rc1", Status.OK),
        ("strange", Status.OK),
    ],
)
def test_kernel_release(intel: Machine, release: str, status: Status) -> None:
    intel.write("proc/sys/kernel/osrelease", release)
    assert check(intel, "kernel").status is status


def test_an_old_kernel_is_named(intel: Machine) -> None:
    intel.write("proc/sys/kernel/osrelease", "5.4.0-216-generic\n")
    assert refusal(intel) == (
        "the kernel 5.4.0-216-generic cannot map BPF arrays, as Linux can since 5.5: "
        "boot Linux 5.10 or later"
    )


@pytest.mark.parametrize(("value", "status"), [("0", "warn"), ("1", "ok"), ("2", "warn")])
def test_jit(intel: Machine, value: str, status: str) -> None:
    intel.write("proc/sys/net/core/bpf_jit_enable", value)
    assert check(intel, "BPF JIT").status == status


def test_a_jit_that_cannot_be_read_about_is_warned_of(intel: Machine) -> None:
    intel.remove("proc/sys/net/core/bpf_jit_enable")
    assert bad(intel) == {"BPF JIT": Status.WARN}


def test_guests_of_others_can_be_watched_without_the_device(intel: Machine) -> None:
    intel.remove("dev/kvm")
    assert bad(intel) == {"/dev/kvm": Status.WARN}
    assert preflight.ready(intel.root)


def test_kvm_without_a_back_end(intel: Machine) -> None:
    intel.remove("sys/module/kvm_intel")
    assert refusal(intel).startswith("KVM is loaded without a back end: load its back end")
    assert check(intel, "KVM's events").status is Status.WARN


def test_no_kvm(intel: Machine) -> None:
    intel.remove("sys/module")
    assert refusal(intel).startswith("KVM is not loaded: load its back end with `modprobe")


def test_types_are_needed_where_there_is_no_exit_record(pvm: Machine) -> None:
    pvm.remove("sys/kernel/btf/vmlinux")
    assert refusal(pvm) == (
        "kvm_pvm needs the kernel's types (BTF), but /sys/kernel/btf/vmlinux is missing: "
        "boot a kernel built with CONFIG_DEBUG_INFO_BTF=y"
    )


def test_types_are_not_needed_with_exit_records(intel: Machine) -> None:
    intel.remove("sys/kernel/btf/vmlinux")
    assert check(intel, "BTF").status is Status.OK


def test_tracefs_is_mounted_and_that_is_said(
    intel: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = intel.tracefs.rename(intel.root / "kept")

    def mount(root: Path) -> Path:
        return kept.rename(root / tracefs.MOUNT_POINT)

    monkeypatch.setattr(tracefs, "mount", mount)
    ready = preflight.ready(intel.root)
    assert ready.notes == ("tracefs is now mounted at /sys/kernel/tracing",)
    assert ready.tracefs == intel.tracefs


def test_tracefs_that_cannot_be_mounted(intel: Machine, mount_refused: None) -> None:
    intel.remove(tracefs.MOUNT_POINT)
    assert refusal(intel) == (
        "tracefs is not mounted at /sys/kernel/tracing, and cannot be (Operation not permitted): "
        "mount it as root with `mount -t tracefs tracefs /sys/kernel/tracing`"
    )
    assert check(intel, "KVM's events").status is Status.WARN


def test_tracefs_that_is_roots_alone(intel: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tracefs, "find", lambda _root: None)
    monkeypatch.setattr(os, "access", lambda place, _mode: place != intel.tracefs)
    assert refusal(intel).startswith("this process may not read /sys/kernel/tracing: run")


@pytest.mark.parametrize("event", preflight.EVENTS)
def test_each_missing_event_is_named(intel: Machine, event: str) -> None:
    intel.remove(f"{tracefs.MOUNT_POINT}/events/kvm/{event}")
    assert bad(intel) == {f"kvm:{event}": Status.FAIL}
    assert refusal(intel).startswith(f"this kernel has no event kvm:{event}: boot Linux 5.10")


def test_emulated_instructions_are_needed_without_exits(pvm: Machine) -> None:
    pvm.remove(f"{tracefs.MOUNT_POINT}/events/kvm/kvm_emulate_insn")
    assert "kvm:kvm_emulate_insn" in refusal(pvm)


def test_an_event_that_may_not_be_read(intel: Machine) -> None:
    unreadable(intel, f"{tracefs.MOUNT_POINT}/events/kvm/kvm_pio/format")
    assert refusal(intel).startswith("this process cannot read about the event kvm:kvm_pio in")


def test_an_exit_record_without_the_vcpu(intel: Machine) -> None:
    kept = (
        each for each in EXIT_FORMAT.splitlines(keepends=True) if "isa" in each or "rip" in each
    )
    intel.event("kvm_exit", "".join(kept))
    assert "kvm:kvm_exit lacks exit_reason and vcpu_id: boot" in refusal(intel)


def test_the_first_failure_is_the_one_told(intel: Machine) -> None:
    intel.privileges(NO_CAPABILITIES, uid=1000)
    intel.remove("sys/module")
    assert refusal(intel).startswith("this process lacks CAP_BPF and CAP_PERFMON: run bpfexit")


def test_an_empty_machine_is_no_reason_to_crash(tmp_path: Path, mount_refused: None) -> None:
    report = preflight.inspect(tmp_path)
    assert report.failure
    assert report.failure.name == "/proc"


@pytest.mark.parametrize("place", ["proc", "sys"])
def test_without_proc_or_sys_nothing_is_said_to_be_missing_there(
    intel: Machine, place: str
) -> None:
    intel.remove(place)
    assert refusal(intel).startswith(f"/{place} is not mounted or cannot be read: mount it")
    report = preflight.inspect(intel.root)
    assert [each.name for each in report.checks if each.status is Status.FAIL] == [f"/{place}"]
    assert report.checks[-1].fact == preflight.NOT_CHECKED


def test_a_jit_setting_that_only_root_may_read_is_no_container(intel: Machine) -> None:
    unreadable(intel, "proc/sys/net/core/bpf_jit_enable")
    assert "only root may read" in check(intel, "BPF JIT").sentence


def test_types_that_cannot_be_read_are_not_said_to_be_missing(
    pvm: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    closed(monkeypatch, pvm.root / "sys/kernel/btf/vmlinux")
    assert "/sys/kernel/btf/vmlinux cannot be read" in refusal(pvm)


def test_a_device_that_may_not_be_opened_is_told_from_a_missing_one(
    intel: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    closed(monkeypatch, intel.root / "dev/kvm")
    assert check(intel, "/dev/kvm").fact.startswith("this process may not open it")


def unreadable(machine: Machine, path: str) -> None:
    """Put a folder where a file was: not even root reads that as a file."""
    (machine.root / path).unlink()
    (machine.root / path).mkdir()


def closed(monkeypatch: pytest.MonkeyPatch, path: Path) -> None:
    """Let the kernel refuse access to a file."""
    access = os.access
    monkeypatch.setattr(os, "access", lambda place, mode: place != path and access(place, mode))

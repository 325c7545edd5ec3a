"""Capabilities, namespaces and limits: what is missing, and what that costs."""

import resource

import pytest

from bpfexit.host import preflight
from bpfexit.host.check import Status
from tests.unit.fake_machine import NO_CAPABILITIES, Machine
from tests.unit.host.checks import bad, check, refusal


@pytest.mark.parametrize(
    ("capabilities", "missing"),
    [
        (1 << 21, ""),  # CAP_SYS_ADMIN
        (1 << 38 | 1 << 39, ""),
        (1 << 38, "lacks CAP_BPF"),
        (1 << 39, "lacks CAP_PERFMON"),
        (0, "lacks CAP_BPF and CAP_PERFMON"),
    ],
)
def test_capabilities(intel: Machine, capabilities: int, missing: str) -> None:
    intel.privileges(f"{capabilities:016x}", uid=1000)
    found = check(intel, "capabilities")
    assert found.status is (Status.FAIL if missing else Status.OK)
    assert found.fact.endswith(missing)
    assert found.remedy.startswith("run bpfexit as root, or with CAP_BPF" if missing else "")


def test_root_without_capabilities_is_told_of_its_container(intel: Machine) -> None:
    intel.privileges(NO_CAPABILITIES, uid=0)
    assert refusal(intel) == (
        "this process is root, but lacks CAP_BPF and CAP_PERFMON: add them to its container "
        "or service, as with `--cap-add BPF --cap-add PERFMON`"
    )


def test_capabilities_in_a_user_namespace_count_for_nothing(intel: Machine) -> None:
    intel.namespace("user", "user:[4026532421]")
    assert "in a user namespace" in refusal(intel)


def test_a_pid_namespace_is_warned_of_and_noted(intel: Machine) -> None:
    intel.namespace("pid", "pid:[4026532421]")
    assert bad(intel) == {"process ids": Status.WARN}
    assert preflight.ready(intel.root).notes[0].startswith("this process is in a PID namespace")


@pytest.mark.parametrize(
    ("release", "capabilities", "limit", "status"),
    [
        ("5.10.0-32-amd64", NO_CAPABILITIES, "65536", Status.WARN),
        ("5.10.0-32-amd64", NO_CAPABILITIES, "unlimited", Status.OK),
        ("5.10.0-32-amd64", NO_CAPABILITIES, str(1 << 30), Status.OK),
        ("5.10.0-32-amd64", f"{1 << 24:016x}", "65536", Status.OK),  # the tracer may raise it
        ("5.11.0", NO_CAPABILITIES, "65536", None),
    ],
)
def test_locked_memory_matters_before_5_11(
    intel: Machine, release: str, capabilities: str, limit: str, status: Status | None
) -> None:
    intel.privileges(capabilities)
    intel.write("proc/sys/kernel/osrelease", release)
    intel.write("proc/self/limits", f"Max locked memory         {limit}   unlimited   bytes\n")
    report = preflight.inspect(intel.root)
    found = [each.status for each in report.checks if each.name == "locked memory"]
    assert found == ([status] if status else [])


@pytest.mark.parametrize(("limit", "status"), [(5, Status.FAIL), (63, Status.FAIL), (64, None)])
def test_too_few_open_files_are_told_before_one_is_opened(
    intel: Machine, monkeypatch: pytest.MonkeyPatch, limit: int, status: Status | None
) -> None:
    monkeypatch.setattr(resource, "getrlimit", lambda _what: (limit, limit))
    assert bad(intel).get("open files") is status
    if status:
        assert refusal(intel).startswith(f"this process may open {limit} files, and bpfexit needs")


@pytest.mark.parametrize(
    ("held", "missing"),
    [
        (1 << 38 | 1 << 39, {"CAP_DAC_READ_SEARCH", "CAP_SYS_PTRACE", "CAP_SYS_ADMIN"}),
        (1 << 38 | 1 << 39 | 1 << 2, {"CAP_SYS_PTRACE", "CAP_SYS_ADMIN"}),
        (1 << 38 | 1 << 39 | 1 << 1, {"CAP_SYS_PTRACE", "CAP_SYS_ADMIN"}),  # CAP_DAC_OVERRIDE
        (1 << 21 | 1 << 2, {"CAP_SYS_PTRACE"}),
        ((1 << 41) - 1, set()),
    ],
)
def test_each_missing_capability_says_what_it_costs(
    intel: Machine, held: int, missing: set[str]
) -> None:
    intel.privileges(f"{held:016x}", uid=65534)
    assert bad(intel) == dict.fromkeys(missing, Status.WARN)
    for name in missing:
        assert check(intel, name).fact.startswith("missing, so ")
        assert check(intel, name).remedy.endswith(name)
    assert preflight.ready(intel.root).notes == ()

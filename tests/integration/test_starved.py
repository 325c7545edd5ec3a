"""A guest on this machine's KVM that is starved: of the CPU by a busy process, and by a quota."""

import json
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import pytest

from bpfexit.host.preflight import Ready
from tests import starving
from tests.counting import BPFEXIT, next_line, started, write

CPU = 1


@contextmanager
def running(vcpus: int) -> Iterator[dict[str, Any]]:
    """Run a guest on one CPU."""
    mix = ["--mix", "pio-read-kernel", "--vcpus", str(vcpus), "--json", "--wait"]
    with started([*BPFEXIT, "testguest", *mix]) as machine:
        ready: dict[str, Any] = json.loads(next_line(machine))
        starving.pin(ready["pid"], CPU)
        write(machine, "\n")
        yield ready
        machine.terminate()


@pytest.fixture
def guest(needs_bpf: Ready, needs_kvm: None) -> Iterator[dict[str, Any]]:
    """Run a guest of one vCPU, which has a CPU of its own."""
    with running(1) as ready:
        yield ready


def diagnosed(pid: int) -> tuple[dict[str, Any], dict[str, dict[str, Any]]]:
    """Return what is said of the guest, and its findings by rule."""
    command = [*BPFEXIT, "diagnose", "-j", "-d", "3", "-p", str(pid)]
    output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    documents = [json.loads(line) for line in output.splitlines()]
    (about,) = (each for each in documents if each["about"] == "guest")
    found = {each["rule"]: each for each in documents if each["about"] == "finding"}
    return about, found


def waited(about: dict[str, Any]) -> float:
    usage = about["usage"]
    (times,) = (each for each in usage["threads"] if each["role"] == "vcpu")
    share: float = times["wait_ns"] / usage["seconds"] / 1e9
    return share


def test_a_busy_process_on_its_cpu(guest: dict[str, Any]) -> None:
    with starving.spinning(CPU):
        about, found = diagnosed(guest["pid"])
    finding = found["cpu-starved"]
    assert finding["cost_of"] == "waiting"
    assert finding["title"].endswith("other threads run on theirs")
    assert waited(about) == pytest.approx(finding["vcpu_share"])
    assert waited(about) > 0.2
    assert about["usage"]["allowed"] == [{"cpus": str(CPU), "vcpus": 1}]


@pytest.mark.parametrize("version", [1, 2])
def test_a_quota_of_the_cgroup_of_its_vcpu(guest: dict[str, Any], version: int) -> None:
    mount = starving.mount_of(version, "cpu")
    if mount is None:
        pytest.skip(f"no cgroup of version {version} here may limit the CPU")
    with ExitStack() as stack:
        tid = guest["vcpus"][0]["tid"]
        folder = stack.enter_context(starving.quota(guest["pid"], tid, mount, version))
        about, found = diagnosed(guest["pid"])
    finding = found["cpu-starved"]
    assert "a CPU quota stops them" in finding["title"]
    assert waited(about) > 0.5
    (quota,) = about["usage"]["quotas"]
    assert (quota["cgroup"], quota["vcpus"]) == (f"/{folder.relative_to(mount)}", 1)
    assert quota["cpus"] == starving.QUOTA_US / starving.PERIOD_US
    assert 0 < quota["throttled_ns"] <= about["usage"]["seconds"] * 1e9 * 1.1
    assert any(quota["cgroup"] in fix["text"] for fix in finding["fixes"])


def test_two_vcpus_on_one_cpu(needs_bpf: Ready, needs_kvm: None) -> None:
    with running(2) as ready:
        about, found = diagnosed(ready["pid"])
    finding = found["cpu-starved"]
    assert f"2 vCPUs may run on CPU {CPU} only" in finding["rationale"]
    assert finding["confidence"] == "high"
    assert waited(about) > 0.5

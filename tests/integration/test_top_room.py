"""Guests that come and go share the room of one run: what the ended ones had is used again."""

import json
import signal
import subprocess
import time
from collections import Counter
from typing import Any

import pytest

from bpfexit.host.preflight import Ready
from bpfexit.tracer import source as kernel
from tests.costing import measured
from tests.counting import BPFEXIT, Counted, Place, next_line, started, until_counting

MIX = "pio-read-kernel=97,pio-write-user=101,mmio-read-user=103,msr-read=107,apic-read=109"
GUESTS = 9
ROWS = 16
"""Room for two guests at a time, which have five rows and two or three besides."""
ATTEMPTS = 5
"""Runs until one has no other guest of this machine in it."""

VCPU = 3
"""Other guests of this machine hardly have so many."""


def ended_guest() -> dict[str, Any]:
    """Run a guest to its end; return what it says."""
    command = [
        *BPFEXIT,
        "testguest",
        "--json",
        "--mix",
        MIX,
        "--rounds",
        "1",
        "--vcpus",
        str(VCPU + 1),
    ]
    found: dict[str, Any] = json.loads(subprocess.check_output(command))
    return found


def lines_past(tracer: "subprocess.Popen[str]", moment: float) -> list[dict[str, Any]]:
    """Read lines until one is of an interval that began after this moment, unix time, s."""
    lines = [json.loads(next_line(tracer))]
    while lines[-1]["start"] < moment:
        lines.append(json.loads(next_line(tracer)))
    return lines


def test_rows_of_ended_guests_are_used_again_and_every_count_is_exact(
    needs_bpf: Ready, needs_kvm: None
) -> None:
    options = ["--json", "-i", "0.2", "-v", str(VCPU), "--max-rows", str(ROWS)]
    guests, snapshots = [], []
    with started([*BPFEXIT, "top", *options], stderr=subprocess.PIPE) as tracer:
        until_counting(tracer)
        for _ in range(GUESTS):
            guests.append(ended_guest())
            snapshots += lines_past(tracer, time.time())
        tracer.send_signal(signal.SIGINT)
        output, _ = tracer.communicate()
    snapshots += [json.loads(line) for line in output.splitlines()]
    rows = [row for each in snapshots for row in each["rows"]]
    assert (
        len({(row["tid"], row["kind"], row["access"], row["address"]) for row in rows}) > 2 * ROWS
    )
    assert sum((Counter(each["lost"]) for each in snapshots), Counter()) == {}
    tids = {row["tid"] for row in rows}
    assert len(tids) == GUESTS
    for tid in tids:
        seen = Counted({}, []).places([row for row in rows if row["tid"] == tid])
        for done in guests[0]["vcpus"][VCPU]["operations"]:
            assert seen[Place(done["kind"], done["access"], done["address"])] == done["count"], done


def accesses(guest: dict[str, Any]) -> int:
    """Return what the guest says it accessed, with the writes that end a round."""
    return sum(
        vcpu["control_exits"] + sum(each["count"] for each in vcpu["operations"])
        for vcpu in guest["vcpus"]
    )


def test_without_a_slot_each_access_is_lost_once(
    needs_bpf: Ready, needs_kvm: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    if needs_bpf.backend.has_exit_events:
        pytest.skip("here exits are lost, not accesses")
    monkeypatch.setattr(kernel, "vcpu_slots", lambda _: 2)
    for _ in range(ATTEMPTS):
        found = measured(needs_bpf, ["--mix", MIX, "--rounds", "1", "--vcpus", "5"])
        counted = sum(row["count"] for row in found.rows) + found.lost["vcpus_full"]
        if counted == accesses(found.guest):
            break
    assert found.lost.keys() == {"vcpus_full"}
    assert counted == accesses(found.guest)

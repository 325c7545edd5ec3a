"""A diagnosis as JSON lines."""

import json
from typing import Any

from bpfexit.advice.diagnosis import diagnose
from bpfexit.formats.json import diagnosis as diagnosis_json
from bpfexit.model.snapshot import Snapshot
from tests.unit.advice.cases import CASES, PVM, SVM, seen
from tests.unit.builders import snapshot
from tests.unit.formats.distributed import whole


def documents(of: Snapshot) -> list[dict[str, Any]]:
    return [json.loads(line) for line in whole(diagnosis_json.encode(diagnose(of))).splitlines()]


def test_there_is_a_line_on_all_on_each_guest_finding_and_expected_thing() -> None:
    rows = [
        CASES["pm-timer"].exits(SVM, 2000, 100_000),
        CASES["virtio-notify"].exits(SVM, 20, 50_000),
    ]
    whole, guest, finding, expected = documents(seen(*rows, backend=SVM, guest_ns=5))
    assert {each["schema"] for each in (whole, guest, finding, expected)} == {"bpfexit.diagnosis/2"}
    assert (whole["about"], whole["guests"], whole["exits"]) == ("all", 1, 2020)
    assert (guest["about"], guest["findings"], guest["verdict"]) == ("guest", ["pm-timer"], "mixed")
    (vcpu,) = guest["vcpus"]
    assert (vcpu["guest_ns"], vcpu["exits_ns"], vcpu["idle_ns"]) == (5, 201_000_000, 0)
    assert (finding["about"], finding["rule"], finding["vm"]) == ("finding", "pm-timer", "alpha")
    assert (finding["cost_ns_per_s"], finding["cost_of"]) == (2e8, "exits")
    (seen_there,) = finding["evidence"]
    assert (seen_there["address"], seen_there["name"]) == (0x608, "acpi-tmr")
    assert seen_there["named_by"] == "platform"
    assert finding["fixes"][0]["where"] == "libvirt"
    assert finding["confidence"] == "medium"
    assert finding["references"]
    assert (expected["about"], expected["rule"]) == ("expected", "virtio-notify")
    assert expected["confidence"] is None


def test_what_is_not_known_is_null() -> None:
    _, guest, finding = documents(seen(CASES["pic"].exits(PVM, 2000, 0), backend=PVM))
    assert guest["vcpus"][0]["exits_ns"] is None
    assert (finding["cost_ns_per_s"], finding["cost_of"]) == (None, "unknown")
    assert finding["evidence"][0]["mean_ns"] is finding["evidence"][0]["reason"] is None


def test_nothing_is_a_line_on_all() -> None:
    (whole,) = documents(snapshot())
    assert whole["guests"] == 0

"""Accesses without an exit, as VMX without unrestricted guests has them, by its programs here.

PVM emits neither kvm_exit nor kvm_entry: to the programs for VMX every access of its guests is one
that KVM emulates outside any exit.
"""

import json
from contextlib import closing

import pytest

from bpfexit.formats.json import snapshot as snapshot_json
from bpfexit.guests.guests import Guests
from bpfexit.host import kvm
from bpfexit.host.kvm import BACKENDS
from bpfexit.host.preflight import Ready
from bpfexit.model.filter import Filter
from bpfexit.names.reasons import Isa
from bpfexit.tracer.source import KernelSource
from tests.costing import MIX
from tests.counting import BPFEXIT, CONTROL_PORT, Counted, Place, next_line, started, write

OPTIONS = ("--json", "--wait", "--linger", "--rounds", "1")
(VMX,) = (backend for backend in BACKENDS if backend.isa is Isa.VMX)


@pytest.fixture(scope="module")
def found(needs_bpf: Ready, needs_kvm: None) -> Counted:
    if needs_bpf.backend.has_exit_events:
        pytest.skip("this back end emits kvm_exit for every access")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(kvm, "emulates_real_mode", lambda: True)
        return until_closed(KernelSource(VMX, needs_bpf.tracefs, Filter(), Guests()))


def until_closed(source: KernelSource) -> Counted:
    """Run the guest to its end, and detach; return what has been counted of it by then."""
    with closing(source), started([*BPFEXIT, "testguest", *OPTIONS, "--mix", MIX]) as machine:
        next_line(machine)
        write(machine, "\n")
        guest = json.loads(next_line(machine))
        last = source.close()
        machine.communicate()
    assert last
    snapshot = json.loads(snapshot_json.encode(last))
    rows = [row for row in snapshot["rows"] if row["pid"] == guest["pid"]]
    return Counted(guest, [snapshot | {"rows": rows}])


def test_each_is_counted_once_at_its_address(found: Counted) -> None:
    assert set(found.places() - found.done()) <= {Place("pio", "write", CONTROL_PORT)}
    assert found.done() - found.places() == {}
    assert found.lost == {}


def test_none_has_a_reason_or_a_latency(found: Counted) -> None:
    assert {(row["isa"], row["reason"], row["total_ns"]) for row in found.rows} == {
        ("vmx", None, None)
    }
    assert all(row["no_latency"] == row["count"] for row in found.rows)


def test_the_last_one_is_in_flight_since_it_waits_for_the_next_event(found: Counted) -> None:
    assert CONTROL_PORT not in {row["address"] for row in found.rows}
    assert found.snapshots[0]["in_flight"] >= 1

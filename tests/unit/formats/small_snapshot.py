"""A small snapshot with a value in every field."""

import json
from typing import Any

from bpfexit.formats.json.snapshot import encode
from bpfexit.model.losses import Lost
from bpfexit.model.snapshot import Origin, Snapshot
from tests.unit.builders import (
    Exits,
    pio,
    snapshot,
)

PVM = Origin("host", "6.18.0", "kvm_pvm", has_exit_events=False)


def small() -> Snapshot:
    return snapshot(
        pio(0x70, ns=(100, 3000), no_latency=1, user_ns=(2000,)),
        Exits("HLT", (10**9,), vm="beta", pid=200, tid=201),
        guest_ns=777,
        lost=Lost(1, 2, 3, 4, 5),
        in_flight=1,
    )


def document(of: Snapshot) -> Any:
    return json.loads(encode(of))

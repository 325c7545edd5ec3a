"""Recordings that the recorder has written."""

from dataclasses import replace
from pathlib import Path

from bpfexit.events.mmio import MMIO
from bpfexit.events.pio import PIO
from bpfexit.events.region import Region
from bpfexit.formats.json.recording import Header
from bpfexit.model.guest import Guest, NameSource
from bpfexit.model.host_facts import HostFacts
from bpfexit.model.snapshot import Origin
from bpfexit.recording.writer import Recorder
from tests.unit.builders import Exits, pio, snapshot

NAMES = ["exits.jsonl", "exits.jsonl.gz"]


MORE = ({"kernel.numa_balancing": "1"}, ("avic",), 4096, 1024)


REGIONS = (Region(PIO, 0x608, 0x60B, "acpi-tmr"), Region(MMIO, 0, 9, "ram"))


WEB = Guest(100, "alpha", "qemu", "qemu", (("machine", "pc"),), REGIONS, NameSource.QMP)


DB = Guest(101, "db", "libvirt")


def header() -> Header:
    facts = HostFacts("Some CPU", 4, "tsc", "always", {"kvm.halt_poll_ns": "0"}, *MORE)
    origin = Origin("host", "6.18.0", "kvm_amd", facts=facts)
    return Header("0.1.0", origin, 1.0, 1000.0, (Guest(100, "alpha"),))


def recorded(path: Path, number: int = 3, append: bool = False) -> bytes:
    recorder = Recorder(path, header, append)
    for n in range(number):
        known = (replace(WEB, ended=n == 2), *([DB] if n else []))
        exits = (pio(n, ns=(n,)), Exits("HLT", (5,)))
        recorder.write(snapshot(*exits, start=1000.0 + n, guests=known))
    assert recorder.size == path.stat().st_size
    recorder.close()
    recorder.close()
    return path.read_bytes()

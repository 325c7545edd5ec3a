"""What an accumulator exposes, by metric and labels."""

from collections.abc import Iterable
from dataclasses import replace

from bpfexit.exporting.accumulator import Accumulator
from bpfexit.exporting.detail import Detail
from bpfexit.exporting.family import Family, Value
from bpfexit.model.guest import Guest
from bpfexit.model.snapshot import Snapshot

Exposed = dict[str, dict[tuple[str, ...], Value]]


def described(guest: Guest) -> tuple[str, ...]:
    return (str(guest.pid), "uuid", "domain", "namespace", "pod", guest.vmm)


def accumulator(detail: Detail | None = None) -> Accumulator:
    return Accumulator(described, detail)


def exposed(families: Iterable[Family]) -> Exposed:
    return {family.metric.name: dict(family.samples) for family in families}


def after(*snapshots: Snapshot, detail: Detail | None = None) -> Exposed:
    """Return what is exposed after snapshots, a second each, and one without a row before them.

    That one has their guests, so that none is new after it.
    """
    known = accumulator(detail)
    empty = [replace(each, rows=each.rows.part(0, 0)) for each in snapshots]
    for now, each in enumerate([*empty, *snapshots]):
        known.add(each, float(now))
    return exposed(known.families())

"""Only guests that live are diagnosed: thousands may come and go in a few minutes."""

from dataclasses import replace

from bpfexit.exporting.changes import Owner
from bpfexit.exporting.recent_findings import PART_S, RecentFindings
from bpfexit.model.ended import OTHERS
from tests.unit.exporting.crowd import crowd


def test_guests_that_have_ended_are_diagnosed_as_one() -> None:
    recent = RecentFindings()
    for _ in range(2):
        of = crowd(guests=9)
        guests = (*of.guests[:2], *(replace(guest, ended=True) for guest in of.guests[2:]))
        reports = recent.add(replace(of, guests=guests, duration_s=PART_S))
        assert reports is not None
        living = {Owner(guest.pid, guest.name) for guest in of.guests[:2]}
        assert reports.keys() == living | {Owner(0, OTHERS)}

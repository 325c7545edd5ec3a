"""Which guests are no longer counted: those whose known name is not wanted."""

from typing import Any

import numpy as np
import pytest

from bpfexit.model.filter import Filter
from bpfexit.model.guest import Guest, Identity
from bpfexit.tracer.guest_filter import GuestFilter

WEB, DB, GONE = Identity(100, 1), Identity(200, 2), Identity(300, 3)
NAMES = {WEB: Guest(100, "web-1", "qemu"), DB: Guest(200, "db", "qemu")}


class Known:
    """Guests as they are known."""

    def notice(self, identity: Identity) -> Guest | None:
        return NAMES.get(identity)

    def guest(self, identity: Identity) -> Guest:
        return NAMES.get(identity) or Guest(identity.pid, f"pid:{identity.pid}")


class Ignored(list[Identity]):
    """Counters that list what is no longer counted."""

    ignore = list.append


def filtered(*guests: str) -> tuple[GuestFilter, Ignored]:
    ignored: Any = Ignored()
    known: Any = Known()
    return GuestFilter(Filter(guests=guests), known, ignored), ignored


def vcpus(*owners: Identity) -> Any:
    fields = [("owner", "u8"), ("process_start", "u8"), ("traced", "u4")]
    return np.array([(pid << 32 | 1, started, 1) for pid, started in owners], fields)


@pytest.mark.parametrize(("pattern", "expected"), [("web*", [DB]), ("db", [WEB]), ("*", [])])
def test_those_of_another_name_are_ignored_at_once(pattern: str, expected: list[Identity]) -> None:
    choice, ignored = filtered(pattern)
    for identity in (WEB, DB, GONE):
        choice.notice(identity)
    assert ignored == expected


def test_what_was_not_noticed_is_ignored_after_the_next_reading() -> None:
    choice, ignored = filtered("web*")
    choice.update(vcpus(WEB, DB, DB, GONE))
    assert sorted(ignored) == [DB, GONE]


def test_without_names_every_guest_is_counted() -> None:
    choice, ignored = filtered()
    choice.notice(WEB)
    choice.update(vcpus(WEB, DB))
    assert ignored == []

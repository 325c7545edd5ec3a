"""Whose the vCPUs are, by process."""

from typing import Any

import numpy as np

from bpfexit.model.guest import Guest, Identity
from bpfexit.tracer.owners import identities, living, vcpu_threads, vm_places
from tests.unit import wire

FIRST, SECOND, OTHER = Identity(7, 100), Identity(7, 200), Identity(8, 100)


def vcpus(*each: tuple[Identity, int, int]) -> Any:
    """Return vCPUs of these processes, with their tasks and whether they are traced."""
    array = np.zeros(len(each), wire.struct("vcpu"))
    for at, (identity, task, traced) in enumerate(each):
        array[at]["owner"] = identity.pid << 32 | 1000 + at
        array[at]["process_start"] = identity.started
        array[at]["task"], array[at]["traced"] = task, traced
    return array


def test_a_process_is_its_number_and_its_start() -> None:
    array = vcpus((FIRST, 0, 1), (SECOND, 5, 1), (OTHER, 6, 0))
    assert identities(array) == [FIRST, SECOND, None]


def test_a_process_lives_while_any_of_its_threads_does() -> None:
    array = vcpus((FIRST, 0, 1), (FIRST, 5, 1), (SECOND, 0, 1), (OTHER, 5, 0))
    assert living(array, identities(array)) == {FIRST: True, SECOND: False}


def test_each_process_has_a_name_of_its_own() -> None:
    owners = [SECOND, None, FIRST, SECOND]
    names, places = vm_places(owners, {FIRST: "web", SECOND: "db"}.__getitem__)
    assert names == ("db", "web")
    assert places.tolist() == [0, 0, 1, 0]


def test_nobody_has_no_name() -> None:
    names, places = vm_places([None], str)
    assert (names, places.tolist()) == ((), [0])


def test_guests_have_the_threads_of_their_vcpus_that_live() -> None:
    array = vcpus((FIRST, 0, 1), (SECOND, 5, 1), (SECOND, 6, 1), (OTHER, 7, 0))
    names = {FIRST: "old", SECOND: "web"}.__getitem__
    quiet = [Guest(7, "web"), Guest(9, "quiet"), Guest(10, "gone", ended=True)]
    assert vcpu_threads(array, names, quiet) == {
        Identity(9): ("quiet", frozenset()),
        SECOND: ("web", frozenset((1001, 1002))),
    }

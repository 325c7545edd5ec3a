"""Arrivals are read from a record as the programs write it."""

from bpfexit.tracer.arrivals import ARRIVAL
from tests.unit import wire


def test_the_record_is_that_of_the_programs() -> None:
    assert wire.struct("arrival") == ARRIVAL

"""A world of QEMUs and libvirt."""

import pytest

from bpfexit.guests.maps import libvirt, qmp
from tests.unit.guests.map_world import World


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    made = World()
    monkeypatch.setattr(qmp, "ask", made.ask)
    monkeypatch.setattr(libvirt, "domains", made.listed)
    monkeypatch.setattr(libvirt, "memory_map", made.memory_map)
    return made

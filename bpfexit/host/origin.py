"""The origin of live snapshots: this host."""

import os
import socket

from bpfexit.host.facts import host_facts
from bpfexit.host.kvm import Backend
from bpfexit.model.snapshot import Origin


def origin_of(backend: Backend) -> Origin:
    """Return this host, its kernel, a back end of KVM and the host's facts."""
    host, release = socket.gethostname(), os.uname().release
    return Origin(host, release, backend.module, backend.has_exit_events, host_facts())

"""The class of each row's reason, which is the same on Intel, AMD and PVM."""

import numpy as np
from numpy.typing import NDArray

from bpfexit.events.apic import APIC
from bpfexit.events.kick import KICK
from bpfexit.events.mmio import MMIO
from bpfexit.events.userspace import USERSPACE
from bpfexit.model.rows import Rows
from bpfexit.model.structs import copied
from bpfexit.names.reason_classes import CLASSES, MMIO_TARGET, OTHER, reason_class
from bpfexit.names.userspace_exits import EXIT_MMIO


def with_classes(rows: Rows, reasons: tuple[str, ...]) -> Rows:
    """Return the rows with their field `class` filled: an index in `CLASSES`.

    A fault of memory that is an access to MMIO is of that class, and no fault.
    """
    plain = [CLASSES.index(reason_class(reason)) for reason in reasons]
    at_mmio = [CLASSES.index(reason_class(reason, MMIO_TARGET)) for reason in reasons]
    other = CLASSES.index(OTHER)
    by_reason = np.array([[*plain, other], [*at_mmio, other]], np.uint8)  # the last: no reason
    fields = copied(rows.fields)
    fields["class"] = by_reason[_at_mmio(rows).astype(np.intp), fields["reason"]]
    return Rows(fields, rows.hist)


def _at_mmio(rows: Rows) -> NDArray[np.bool_]:
    """Which rows are accesses to MMIO, whatever view tells it."""
    to_user = (rows["kind"] == USERSPACE) & (rows["address"] == EXIT_MMIO)
    found: NDArray[np.bool_] = rows.of_kinds((MMIO, APIC, KICK)) | to_user
    return found

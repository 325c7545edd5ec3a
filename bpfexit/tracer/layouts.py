"""The C structs of the maps as numpy dtypes."""

from typing import Any

import numpy as np

from bpfexit.compiler.bundle import Layout

SLOT_HINT_BITS = 16
NEAR_UNITS = 4096
"""Constants of wire.h; a test compares them."""


def dtype_of(layout: Layout) -> np.dtype[Any]:
    """Return a struct as the compiler lays it out."""
    return np.dtype(
        {
            "names": list(layout.fields),
            "formats": [
                (field.format, (field.count,)) if field.count > 1 else field.format
                for field in layout.fields.values()
            ],
            "offsets": [field.offset for field in layout.fields.values()],
            "itemsize": layout.size,
        },
        align=True,
    )


def vcpus_dtype(vcpu: np.dtype[Any], slots: int) -> np.dtype[Any]:
    """Return `struct vcpus` of maps.h, which bcc does not describe; a test compares the two."""
    return np.dtype(
        [
            ("of_slot", vcpu, (slots,)),
            ("slot_hints", "u2", (1 << SLOT_HINT_BITS,)),
            ("bucket_of", "u1", (NEAR_UNITS,)),
            ("generation", "u8"),
        ],
        align=True,
    )

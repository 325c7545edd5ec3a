"""A library that is missing is one sentence; a refusal has the verifier's words."""

import pytest

from bpfexit.errors import BpfexitError
from bpfexit.tracer import libbpf

LOG = b"""\
0: R1=ctx(off=0,imm=0) R10=fp0
0: (79) r0 = *(u64 *)(r10 +8)
invalid read from stack R10 off=8 size=8
processed 1 insns (limit 1000000) max_states_per_insn 0 total_states 0 peak_states 0 mark_read 0

"""


@pytest.mark.parametrize("other", ["libnowhere.so.0", "libc.so.6"])
def test_without_the_library_it_is_said_what_to_install(
    monkeypatch: pytest.MonkeyPatch, other: str
) -> None:
    monkeypatch.setattr(libbpf, "LIBRARIES", ("libnowhere.so.1", other))
    with pytest.raises(BpfexitError) as error:
        libbpf.open_libbpf()
    assert str(error.value) == (
        "libnowhere.so.1, which loads BPF programs, is missing: install the distribution's package "
        "(Debian: `apt-get install libbpf1`)"
    )


def test_the_reason_is_the_last_line_of_the_verifier() -> None:
    refused = PermissionError(13, "Permission denied")
    assert libbpf._reason(refused, LOG) == (
        "Permission denied: invalid read from stack R10 off=8 size=8"
    )
    assert libbpf._reason(refused, b"") == "Permission denied"

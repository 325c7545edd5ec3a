"""What a vCPU accesses in an exit that has no end, as the programs are detached."""

import numpy as np

from bpfexit.tracer.loader import forget_extra_accesses


def test_only_vcpus_in_an_exit_lose_the_extra_accesses_since_then() -> None:
    vcpus = np.zeros(3, [("exit_ns", "u8"), ("extra_accesses", "u8")])
    vcpus["exit_ns"] = [0, 7, 7]
    vcpus["extra_accesses"] = [5, 94, 0]
    forget_extra_accesses(vcpus, np.array([4, 3, 0], np.uint64))
    assert vcpus["extra_accesses"].tolist() == [5, 3, 0]

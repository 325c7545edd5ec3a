"""`python -m tests.bench.with_statistics COMMAND...`: run it with BPF statistics switched on."""

import subprocess
import sys

from bpfexit.host import bpf_statistics

if __name__ == "__main__":
    with bpf_statistics.enabled():
        sys.exit(subprocess.run(sys.argv[1:], check=False).returncode)

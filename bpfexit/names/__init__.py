"""Names of exit reasons, ports, MMIO addresses and MSRs."""

"""Live view of the VM exits of KVM guests, aggregated in the kernel."""

__version__ = "0.1.0"

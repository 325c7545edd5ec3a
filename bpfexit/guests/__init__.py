"""Who runs a guest: names, QEMU options, memory maps."""

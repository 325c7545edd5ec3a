"""Memory maps of guests, from QMP and libvirt."""

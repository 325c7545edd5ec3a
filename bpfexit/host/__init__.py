"""Facts about this machine; every reader takes the root path it reads below."""

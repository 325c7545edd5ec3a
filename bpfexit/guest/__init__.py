"""A tiny KVM guest of our own: exits of known kinds, in known numbers."""

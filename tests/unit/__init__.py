"""Unit tests: pure, without root and without KVM; the folders are those of the package."""

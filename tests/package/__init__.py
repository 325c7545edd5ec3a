"""The Debian package in fresh Debian roots: installed, tried, purged."""

"""Where snapshots come from: the live kernel, or a recording."""

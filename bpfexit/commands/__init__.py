"""Commands: options in, objects wired, nothing computed."""

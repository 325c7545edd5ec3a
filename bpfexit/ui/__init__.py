"""The terminal: tables, the live screen and its keys."""

"""Pure formats: a snapshot in, text out."""

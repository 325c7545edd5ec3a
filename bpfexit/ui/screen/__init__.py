"""The live screen as pure functions: keys to a state, a state and snapshots to cells."""

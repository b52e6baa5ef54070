"""Facts as tables and as machine-readable output."""

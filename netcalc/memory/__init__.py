"""The memory of a training step: which storages live from when to when, and what that needs at most."""

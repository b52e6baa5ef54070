"""A reason where torch's private side cannot be reached."""

from __future__ import annotations

import pytest

from .oracle import missing


@pytest.fixture
def private_side():
    """Skips where the shim does not build."""
    reason = missing()
    if reason:
        pytest.skip(reason)

"""Cheap collections, and a reason where torch's private side cannot be reached."""

from __future__ import annotations

import gc

import pytest

from .oracle import missing


@pytest.fixture(autouse=True, scope="session")
def imports_are_not_collected():
    """Measuring collects cycles: what torch has in memory need not be looked through each time."""
    gc.collect()
    gc.freeze()
    yield
    gc.unfreeze()


@pytest.fixture
def private_side():
    """Skips where the shim does not build."""
    reason = missing()
    if reason:
        pytest.skip(reason)

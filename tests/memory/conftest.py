"""One thread for torch, and a reason where its private side cannot be reached."""

from __future__ import annotations

import pytest
import torch

from .oracle import missing


@pytest.fixture(autouse=True, scope="session")
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def private_side():
    """Skips where the shim does not build."""
    reason = missing()
    if reason:
        pytest.skip(reason)

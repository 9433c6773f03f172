"""Programs that a test of an example needs and a machine may not have."""

from __future__ import annotations

import os

import pytest


def there(found: bool, otherwise: str) -> None:
    """Skip the test if what it needs is not `found`. In CI, where everything has to be installed,
    fail instead.
    """
    if not found and os.environ.get("CI"):
        pytest.fail(otherwise)
    if not found:
        pytest.skip(otherwise)

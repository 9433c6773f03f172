"""What a test of an example needs and a machine may not have."""

from __future__ import annotations

import os

import pytest


def there(found: bool, otherwise: str) -> None:
    """Skip the test where what it needs is not `found`, and say so. In CI it fails: there
    everything is to be there.
    """
    if not found and os.environ.get("CI"):
        pytest.fail(otherwise)
    if not found:
        pytest.skip(otherwise)

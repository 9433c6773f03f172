"""Assertions in the story show the values that they compared, as in a test module."""

import pytest

pytest.register_assert_rewrite("tests.examples.story")

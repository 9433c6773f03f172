"""The story's assertions show what they compared, as those of a test module do."""

import pytest

pytest.register_assert_rewrite("tests.examples.story")

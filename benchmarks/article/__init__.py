"""The article's plain design, to measure beside."""

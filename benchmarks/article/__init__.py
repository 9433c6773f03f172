"""The article's plain design, with which the gate is compared."""

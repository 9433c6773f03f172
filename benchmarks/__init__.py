"""Measures how fast Pipeline Gate is and what it costs. Never deployed."""

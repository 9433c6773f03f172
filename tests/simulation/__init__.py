"""Seeded histories of pipelines, people and faults, over which the gate's promises are checked."""

RUNS = 100
"""How many runs `make test` plays: the seeds from 0 on."""

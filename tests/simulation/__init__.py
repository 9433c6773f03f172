"""Seeded histories of pipelines, people and faults, over which the gate's promises are checked."""

RUNS = 100
"""So many runs are played in `make test`: the seeds from 0 on."""

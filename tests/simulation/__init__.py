"""The simulation: seeded histories of pipelines, people and faults, over which the gate's promises
are checked.
"""

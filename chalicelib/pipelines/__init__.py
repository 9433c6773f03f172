"""Pipeline status: which pipelines a gate waits for, and how they stand.

Only reader.py calls AWS.
"""

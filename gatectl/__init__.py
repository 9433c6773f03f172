"""The command line of Pipeline Gate: `python -m gatectl`. It runs with the caller's own credentials
and is never deployed.
"""

"""Holds: the EventBridge rule that stores a hold, and whether the hold still stands.

Only making.py and reader.py call AWS.
"""

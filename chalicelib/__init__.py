"""Pipeline Gate: one CodePipeline pipeline waits until others are idle. `gate` answers the waiting
action, `retry` ends its hold.
"""

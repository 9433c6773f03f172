"""Rule management: a hold, the EventBridge rule that remembers it, and whether it still stands. Pure, except making.py."""

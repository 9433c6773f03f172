"""What is reported about a decision: one table of outcomes, the log and the events."""

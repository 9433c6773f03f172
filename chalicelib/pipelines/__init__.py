"""Pipeline status: what a gate waits for, and how it stands. Pure, except reader.py, which asks AWS."""

"""How Pipeline Gate does under load and in time, measured in the sandbox. Never deployed."""

"""The stage: its logs, what it reads out of them, and how ids get into it."""

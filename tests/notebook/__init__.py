"""Widgets without a browser: their buttons are clicked, and their traits are read."""

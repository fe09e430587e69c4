"""Which film a title means; pure."""

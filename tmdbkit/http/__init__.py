"""A polite session for any service: cache ▸ retry ▸ pacer ▸ credentials ▸ network guard."""

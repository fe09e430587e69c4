"""A bounded pool that asks for ids, and writes what comes."""

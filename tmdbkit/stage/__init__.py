"""The Parquet stage: append-only logs in a folder, and what is read out of them."""

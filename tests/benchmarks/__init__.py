"""How fast tmdbkit is, as ratios: each is measured in one run, by turns, and is a median.

`python -m tests.benchmarks` runs all, `python -m tests.benchmarks NAME ...` some of them.
"""

"""How fast tmdbkit is, as ratios: each is measured in one run, by turns, the best or the median.

`python -m tests.benchmarks` runs all, `python -m tests.benchmarks NAME ...` some of them, and
`--markdown` prints a page's table. What it compares with comes with `pip install -e '.[bench]'`.
"""

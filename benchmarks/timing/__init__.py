"""pytest-benchmark suites of scoring: `pytest benchmarks/timing --benchmark-only --benchmark-json=FILE`.

`python -m benchmarks.timing.ratios FILE` prints what the exact engine gains in one file,
`python -m benchmarks.timing.compare OLD NEW` what has become slower between two.
"""

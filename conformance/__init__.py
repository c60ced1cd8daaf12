"""Public suites that judge our protocols, each run by `python -m conformance.<suite>`."""

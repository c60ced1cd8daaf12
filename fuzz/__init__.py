"""Fuzzing: one module per parser, each with `check(data)`, which raises where an invariant does not hold.

`python -m fuzz` runs them under atheris, from the inputs in `corpus/`; `tests/test_fuzz.py` replays these without it.
"""

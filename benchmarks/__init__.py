"""Benchmarks: a module and its committed result behind every number that the documentation gives.

    python -m benchmarks                       # what there is, and how long each takes
    python -m benchmarks grouping              # writes benchmarks/results/grouping.{json,md}
    python -m benchmarks grouping --quick      # a small version, into a temporary folder
    python -m benchmarks all --quick           # one after another, and how long each took

A benchmark is a module or folder here with a function ``run(options)``; it is listed in `registry.py`. What
several of them use is in `common/`. Real data are read from ``../shared/data`` beside the checkout, or from
the folder that the environment variable COTRAIN_DATA names; a benchmark whose data are absent is skipped.
"""

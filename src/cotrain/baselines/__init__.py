"""What everyone compares with, one model a task: boosted trees, extremely randomised trees, linear models.

The other two baselines, single-task and joint networks, are populations.
"""

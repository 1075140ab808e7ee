"""What everyone compares with: gradient-boosted trees, one model a task.

The other two baselines, single-task and joint networks, are populations.
"""

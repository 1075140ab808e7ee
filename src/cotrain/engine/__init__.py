"""The population engine: train many weight vectors over the same data at once.

A member is a weight vector over the tasks plus a seed. Single-task learning is a one-hot vector, joint
training all ones, a task group an indicator: whoever wants to know something about tasks writes members
and reads back validation scores.
"""

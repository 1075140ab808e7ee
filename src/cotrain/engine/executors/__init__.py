"""Who computes gradients and outputs of all members: the same numbers, at different speeds."""

"""Which task sets to train next, and which groups the measured ones speak for."""

"""What could be shipped: one file a contender, and what they all promise in ``base.py``."""

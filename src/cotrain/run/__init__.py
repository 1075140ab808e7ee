"""The whole way from splits to a shipped answer: the main path is ``plan.py``."""

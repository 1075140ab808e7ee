"""Instruments that measure how tasks relate, while a model trains."""

"""Moments of training at which instruments look: of the engine, or of anyone's own loop."""

"""From cells to numbers that networks and trees read, fitted on training rows only."""

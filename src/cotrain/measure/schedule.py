"""How often probes look, and at how many rows: what measuring costs."""

PROBE_EVERY = 10  # steps from one probe to the next, as in the paper
FEWEST_PROBES = 20  # short runs are probed more often
PROBED_CELLS = 1536  # rows of a probe times tasks, so that its cost does not grow with the tasks
FEWEST_ROWS = 32
MOST_DRAWN = 8  # tasks and samples drawn for a comparison of single samples
FORWARD, BACKWARD = 1 / 3, 2 / 3  # shares of the work of a training example


def probe_rows(tasks: int) -> int:
    """Rows of a probe: the cost of T gradients and T looks ahead stays about the same.

    >>> probe_rows(2), probe_rows(12), probe_rows(617)
    (768, 128, 32)
    """
    return max(FEWEST_ROWS, PROBED_CELLS // tasks)


def probe_interval(asked: int, steps: int) -> int:
    """Steps from one probe to the next in a run of so many steps.

    >>> probe_interval(10, 1200), probe_interval(10, 60)
    (10, 3)
    """
    return max(1, min(asked, steps // FEWEST_PROBES))


def looking_cost(tasks: int, rows: int) -> float:
    """Training examples that a lookahead is worth: T gradients and T + 1 forward passes."""
    return (tasks + FORWARD) * rows


def comparing_cost() -> float:
    """Training examples that a comparison of single samples is worth."""
    return BACKWARD * MOST_DRAWN**3

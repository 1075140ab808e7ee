"""The one error a user can cause: bad input, in one line, with the fix."""

import difflib
from collections.abc import Iterable, Sequence

_SHOWN = 5  # problems named in full


class InputError(ValueError):
    """Bad input from the user: one line that says what, where and how to fix it.

    The command line prints the message without a traceback and exits with code 2.

    >>> str(InputError("column 'age' is constant: leave it out with --ignore age"))
    "column 'age' is constant: leave it out with --ignore age"
    """


def refuse_all(problems: Sequence[str], fix: str) -> None:
    """Raise what is wrong with several things as one error, the first few in full.

    Args:
        problems: One line each; with none nothing is raised.
        fix: What mends all of them, if there are several.

    >>> refuse_all([], "leave them out")
    >>> refuse_all(["'a' is empty", "'b' is empty"], "leave them out")
    Traceback (most recent call last):
    cotrain.errors.InputError: 'a' is empty
      'b' is empty
      leave them out
    """
    if not problems:
        return
    more = [f"… and {len(problems) - _SHOWN} more"] if len(problems) > _SHOWN else []
    raise InputError(
        "\n  ".join([*problems[:_SHOWN], *more, *([fix] if len(problems) > 1 else [])])
    )


def nearest(name: str, known: Iterable[str]) -> str:
    """A hint that names the closest known name, or lists the first few.

    >>> nearest("incme", ["income", "age"])
    "did you mean 'income'?"
    >>> nearest("zzz", ["income", "age"])
    'there are: income, age'
    """
    known = list(known)
    close = difflib.get_close_matches(name, known, n=1)
    if close:
        return f"did you mean {close[0]!r}?"
    shown = ", ".join(known[:8]) + (", …" if len(known) > 8 else "")
    return f"there are: {shown}"

"""The one error a user can cause: bad input, in one line, with the fix."""

import difflib
from collections.abc import Iterable


class InputError(ValueError):
    """Bad input from the user: one line that says what, where and how to fix it.

    The command line prints the message without a traceback and exits with code 2.

    >>> str(InputError("column 'age' is constant: leave it out with --ignore age"))
    "column 'age' is constant: leave it out with --ignore age"
    """


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

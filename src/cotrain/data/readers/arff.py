"""ARFF, the format of WEKA and MULAN: a header of typed attributes, then dense or sparse rows."""

import re
from dataclasses import dataclass

import polars as pl

from cotrain.data.readers.delimited import check_names, read_delimited
from cotrain.errors import InputError

_QUOTED = r"'(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\""
_ATTRIBUTE = re.compile(rf"@attribute\s+({_QUOTED}|\S+)\s+(.+)", re.IGNORECASE)
_NOMINAL = re.compile(rf"({_QUOTED}|[^,]+)")
_SPARSE = re.compile(rf"(\d+)\s+({_QUOTED}|[^,}}]+)")


@dataclass(frozen=True, kw_only=True)
class Attribute:
    """A column of the header: its name, and its values if it is nominal."""

    name: str
    values: tuple[str, ...]
    text: bool

    @property
    def default(self) -> str:
        """What a sparse row means by leaving the attribute out."""
        return self.values[0] if self.values else "0"


def read_arff(text: str, where: str) -> tuple[pl.DataFrame, frozenset[str]]:
    r"""Read ARFF into a table of text columns, and name the columns that are text for good.

    A nominal attribute with two numeric values, such as ``{0,1}``, is treated as a number.

    >>> header = "@relation r\n@attribute 'my x' real\n@attribute c {a,b}\n"
    >>> frame, text = read_arff(header + "@data\n1.5,b\n?,a\n", "my.arff")
    >>> frame.rows(named=True), sorted(text)
    ([{'my x': '1.5', 'c': 'b'}, {'my x': '?', 'c': 'a'}], ['c'])
    """
    lines = ["" if line.lstrip().startswith("%") else line for line in text.splitlines()]
    start = next((at for at, line in enumerate(lines) if line.strip().lower() == "@data"), None)
    if start is None:
        raise InputError(f"{where} is not an ARFF file: it has no @data line")
    attributes = _header(lines[:start], where)
    names = [attribute.name for attribute in attributes]
    body = lines[start + 1 :]
    first = next((line.strip() for line in body if line.strip()), None)
    if first is None:
        raise InputError(f"{where} has a header but no rows: add the data below @data")
    if first.startswith("{"):
        frame = _sparse(body, attributes, where, first_line=start + 2)
    else:
        dense = "\n".join(body)
        quote = '"' if '"' in dense else "'"
        frame = read_delimited(dense, where, columns=names, quote=quote, first_line=start + 2)
    return frame, frozenset(attribute.name for attribute in attributes if attribute.text)


def _header(lines: list[str], where: str) -> list[Attribute]:
    attributes = []
    for number, line in enumerate(lines, start=1):
        if line.strip().lower().startswith("@attribute"):
            found = _ATTRIBUTE.match(line.strip())
            if found is None:
                raise InputError(f"{where}, line {number}: expected '@attribute NAME TYPE'")
            attributes.append(_attribute(_unquoted(found[1]), found[2].strip()))
    check_names([attribute.name for attribute in attributes], where)
    return attributes


def _attribute(name: str, kind: str) -> Attribute:
    if not kind.startswith("{"):
        numeric = kind.split()[0].lower() in ("numeric", "real", "integer")
        return Attribute(
            name=name, values=(), text=not numeric and not kind.lower().startswith("date")
        )
    values = tuple(_unquoted(value) for value in _NOMINAL.findall(kind.strip("{}")))
    return Attribute(name=name, values=values, text=not (len(values) <= 2 and _numbers(values)))


def _numbers(values: tuple[str, ...]) -> bool:
    return all(re.fullmatch(r"[+-]?\d+(\.\d+)?", value) for value in values)


def _unquoted(word: str) -> str:
    word = word.strip()
    if len(word) > 1 and word[0] == word[-1] and word[0] in "'\"":
        return re.sub(r"\\(.)", r"\1", word[1:-1])
    return word


def _sparse(
    body: list[str], attributes: list[Attribute], where: str, *, first_line: int
) -> pl.DataFrame:
    """Rows like ``{3 1, 6 red}``: positions and values, everything else at its default."""
    rows = [(number, line) for number, line in enumerate(body, first_line) if line.strip()]
    cells = [[attribute.default] * len(rows) for attribute in attributes]
    for row, (number, line) in enumerate(rows):
        for position, value in _SPARSE.findall(line):
            if int(position) >= len(attributes):
                raise InputError(
                    f"{where}, line {number}: attribute {position} where the header declares "
                    f"0 to {len(attributes) - 1}: correct the line"
                )
            cells[int(position)][row] = _unquoted(value)
    return pl.DataFrame({at.name: values for at, values in zip(attributes, cells, strict=True)})

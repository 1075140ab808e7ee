"""Molecules become Morgan fingerprints, through RDKit."""

from functools import lru_cache
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from cotrain.errors import InputError

BITS = 1024
RADIUS = 2


def fingerprints(smiles: pl.Series) -> NDArray[np.uint8]:
    """Morgan fingerprints ``[N, 1024]`` of 0 and 1; all 0 where a text is missing or no molecule.

    >>> bits = fingerprints(pl.Series(["CCO", "no molecule", None]))
    >>> bits.shape, bits.sum(axis=1).tolist()
    ((3, 1024), [6, 0, 0])
    """
    packed = [_fingerprint(text) if text is not None else bytes(BITS // 8) for text in smiles]
    rows = np.frombuffer(b"".join(packed), dtype=np.uint8).reshape(len(smiles), BITS // 8)
    return np.unpackbits(rows, axis=1)


@lru_cache(maxsize=1 << 17)
def _fingerprint(text: str) -> bytes:
    """The packed fingerprint; kept, because fitting, networks and trees ask for the same ones."""
    chem, generator, silence = _rdkit()
    with silence():
        molecule = chem.MolFromSmiles(text)
    if molecule is None:
        return bytes(BITS // 8)
    return np.packbits(generator.GetFingerprintAsNumPy(molecule)).tobytes()


@lru_cache(maxsize=1)
def _rdkit() -> tuple[Any, Any, Any]:
    try:
        from rdkit import Chem
        from rdkit.Chem import rdFingerprintGenerator
        from rdkit.rdBase import BlockLogs
    except ImportError:
        raise InputError(
            "a SMILES column needs RDKit, which is not installed: pip install 'cotrain[chem]'"
        ) from None
    generator = rdFingerprintGenerator.GetMorganGenerator(radius=RADIUS, fpSize=BITS)
    return Chem, generator, BlockLogs

"""Rivals on the same rows: AutoGluon-Tabular and LightGBM tuned by Optuna, one model a target.

Stands alone: it imports nothing of this repository, so it runs in an environment of its own
(``pip install autogluon.tabular lightgbm optuna scikit-learn pandas``), on the files that
``COTRAIN_SHIP_RIVALS=FOLDER python -m benchmarks ship`` writes. A target may take as long as the run of
cotrain took, divided by the targets. Scores are test scores by the same metrics.

    python rivals.py FOLDER RESULTS/ship     # writes FOLDER/<table>-<seed>.json
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import balanced_accuracy_score, r2_score, roc_auc_score
from sklearn.model_selection import KFold, StratifiedKFold

Array = NDArray[np.float64]
FOLDS = 3


@dataclass(frozen=True, kw_only=True)
class Target:
    """One target of a table: its labelled rows, to learn from and to test on.

    Args:
        kind: ``binary``, ``multiclass`` or ``regression``.
        categorical: ``[F]`` which columns are codes of categories.
        x: ``[n, F]`` inputs to learn from, NaN where missing.
        y: ``[n]`` their labels.
        test_x: ``[m, F]`` inputs to test on.
        test_y: ``[m]`` their labels.
        seed: Of the split, and of the rival.
    """

    kind: str
    categorical: NDArray[np.bool_]
    x: Array
    y: Array
    test_x: Array
    test_y: Array
    seed: int


def score(kind: str, predicted: Array, labels: Array) -> float:
    """ROC AUC, balanced accuracy or R²; NaN where it is not defined.

    Args:
        kind: Of the target.
        predicted: ``[m]`` probabilities of the second class, codes of classes, or values.
        labels: ``[m]`` labels.
    """
    if len(np.unique(labels)) < 2:
        return float("nan")
    metrics = {"binary": roc_auc_score, "multiclass": balanced_accuracy_score}
    return float(metrics.get(kind, r2_score)(labels, predicted))


def lightgbm(target: Target, seconds: float) -> Array:
    """LightGBM, its settings from Optuna's search by cross-validation for so long; then on all rows."""
    import optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study(
        direction="maximize", sampler=optuna.samplers.TPESampler(seed=target.seed)
    )
    study.optimize(lambda trial: _cross_validated(target, _suggested(trial)), timeout=seconds)
    model = _boosted(target, study.best_params).fit(
        target.x, target.y, categorical_feature=np.flatnonzero(target.categorical).tolist()
    )
    return _predicted(model, target.kind, target.test_x)


def _suggested(trial: Any) -> dict[str, Any]:
    return {
        "n_estimators": trial.suggest_int("n_estimators", 20, 1000, log=True),
        "learning_rate": trial.suggest_float("learning_rate", 0.01, 0.3, log=True),
        "num_leaves": trial.suggest_int("num_leaves", 4, 128, log=True),
        "min_child_samples": trial.suggest_int("min_child_samples", 2, 50, log=True),
        "subsample": trial.suggest_float("subsample", 0.5, 1.0),
        "colsample_bytree": trial.suggest_float("colsample_bytree", 0.3, 1.0),
        "reg_lambda": trial.suggest_float("reg_lambda", 1e-3, 30.0, log=True),
    }


def _boosted(target: Target, settings: dict[str, Any]) -> Any:
    import lightgbm

    kind = lightgbm.LGBMRegressor if target.kind == "regression" else lightgbm.LGBMClassifier
    return kind(**settings, subsample_freq=1, random_state=target.seed, verbose=-1)


def _cross_validated(target: Target, settings: dict[str, Any]) -> float:
    kind = KFold if target.kind == "regression" else StratifiedKFold
    folds = kind(FOLDS, shuffle=True, random_state=target.seed)
    scores = []
    for train, held in folds.split(target.x, target.y):
        model = _boosted(target, settings).fit(
            target.x[train],
            target.y[train],
            categorical_feature=np.flatnonzero(target.categorical).tolist(),
        )
        predicted = _predicted(model, target.kind, target.x[held])
        scores.append(score(target.kind, predicted, target.y[held]))
    return float(np.nanmean(scores))


def _predicted(model: Any, kind: str, inputs: Array) -> Array:
    return np.asarray(
        model.predict_proba(inputs)[:, 1] if kind == "binary" else model.predict(inputs), float
    )


def autogluon(target: Target, seconds: float) -> Array:
    """AutoGluon-Tabular for so long, with its preset of medium quality."""
    from autogluon.tabular import TabularPredictor

    metrics = {"binary": "roc_auc", "multiclass": "balanced_accuracy", "regression": "r2"}
    with tempfile.TemporaryDirectory() as folder:
        predictor = TabularPredictor(
            label="y",
            problem_type=target.kind,
            eval_metric=metrics[target.kind],
            path=folder,
            verbosity=0,
        )
        table = _frame(target.x, target.categorical).assign(y=target.y)
        predictor.fit(table, presets="medium_quality", time_limit=seconds)
        test = _frame(target.test_x, target.categorical)
        if target.kind == "binary":
            return np.asarray(predictor.predict_proba(test).iloc[:, 1], float)
        return np.asarray(predictor.predict(test), float)


def _frame(inputs: Array, categorical: NDArray[np.bool_]) -> Any:
    import pandas

    frame = pandas.DataFrame(inputs, columns=[f"x{at}" for at in range(inputs.shape[1])])
    codes = [f"x{at}" for at in np.flatnonzero(categorical)]
    return frame.astype(dict.fromkeys(codes, "category"))


RIVALS: dict[str, Callable[[Target, float], Array]] = {
    "AutoGluon": autogluon,
    "LightGBM tuned": lightgbm,
}


def targets(path: Path, seed: int) -> Iterator[tuple[str, Target]]:
    """The targets of a file by name."""
    file = np.load(path)
    x, test = file["x"], file["test"]
    for name, kind, y in zip(file["names"], file["kinds"], file["y"].T, strict=True):
        known = np.isfinite(y)
        learn, judge = known & ~test, known & test
        yield (
            str(name),
            Target(
                kind=str(kind),
                categorical=file["categorical"],
                x=x[learn],
                y=y[learn],
                test_x=x[judge],
                test_y=y[judge],
                seed=seed,
            ),
        )


def main(folder: Path, results: Path) -> None:
    """Every file of the folder whose pair is stored and that has no scores yet."""
    for path in sorted(folder.glob("*.npz")):
        stored, out = results / f"{path.stem}.json", path.with_suffix(".json")
        if out.exists() or not stored.exists():
            continue
        pair = json.loads(stored.read_text())
        limit = pair["seconds"] / len(pair["tasks"])
        found: dict[str, Any] = {"table": pair["table"], "seed": pair["seed"], "limit": limit}
        for rival, run in RIVALS.items():
            began = time.monotonic()
            found[rival] = {
                name: score(target.kind, run(target, limit), target.test_y)
                for name, target in targets(path, pair["seed"])
            }
            found[f"{rival}, seconds"] = time.monotonic() - began
        out.write_text(json.dumps(found, indent=1) + "\n")
        print(path.stem, flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))

"""Rankers on sources whose worth is known, and the choice of a set."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from tiny import make_data

from cotrain.data import Splits, from_arrays, from_domains
from cotrain.data.dataset import Development
from cotrain.errors import InputError
from cotrain.folder import RunFolder
from cotrain.transfer import (
    AnyRanker,
    ByGradients,
    ByLinearProbe,
    ByLookahead,
    ByRepresentation,
    BySampling,
    ShortRun,
    choose_sources,
    read_choice,
)
from cotrain.transfer.rankers.alignment import alignment
from cotrain.transfer.rankers.by_short_run import own_heads, random_halves
from cotrain.transfer.rankers.short_run import sample_rows
from cotrain.transfer.rows import first_rows
from cotrain.transfer.sources import follow, pick

RUN = ShortRun(epochs=2, widths=(16,), low_precision=False)
RANKERS: dict[str, AnyRanker] = {
    "probe": ByLinearProbe(widths=(64,)),
    "lookahead": ByLookahead(run=RUN),
    "gradients": ByGradients(run=RUN),
    "representation": ByRepresentation(run=RUN),
    "sampling": BySampling(run=replace(RUN, epochs=4), sets=6),
}
NAMES = ("noise", "other", "kin", "twin", "target")


def labels(x: NDArray[np.float64], rng: np.random.Generator) -> dict[str, NDArray[np.bool_]]:
    """The twin follows the target's rule, the kin half of it, the other an unrelated one."""
    return {
        "noise": rng.random(len(x)) > 0.5,
        "other": x[:, 4] > 0,
        "kin": x[:, 0] > 0,
        "twin": x[:, 0] + x[:, 1] > 0,
        "target": x[:, 0] + x[:, 1] > 0,
    }


def table() -> Splits:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(2000, 6))
    y = np.stack(list(labels(x, rng).values()), axis=1).astype(float)
    y[rng.random(2000) < 0.7, 4] = np.nan  # the target has few rows
    return from_arrays(x, y, names=NAMES)


def domains() -> Splits:
    rng = np.random.default_rng(0)
    found: dict[str, Any] = {}
    for name in NAMES:
        x = rng.normal(size=(800, 6))
        found[name] = (x, labels(x, rng)[name])
    return from_domains(found)


@pytest.mark.parametrize("by", RANKERS)
@pytest.mark.parametrize("made", [table, domains])
def test_the_twin_is_first_and_noise_late(tmp_path: Path, made: Any, by: str) -> None:
    joint = own_heads(made().development)
    found = RANKERS[by](RunFolder(tmp_path), joint)
    ranked = [joint.tasks[s].name for s in np.argsort(-found.score)]
    assert ranked[0] == "twin", dict(zip(NAMES, found.score, strict=False))
    assert ranked.index("noise") >= (1 if by == "sampling" else 2)  # six trainings are few
    least, most = (0.01, 5) if by == "probe" else (2, 40)
    assert least * len(joint.train) < found.examples < most * len(joint.train)


def test_a_choice_under_a_share(tmp_path: Path) -> None:
    by = ByRepresentation(run=RUN)
    found = choose_sources(domains(), target="target", out=tmp_path, by=by, share=0.6)
    assert found.sources[:2] == ("twin", "kin")
    assert found.picked == ("twin", "kin")
    assert found.cost[0] == pytest.approx(1 / 4 * 2 / 6)
    assert found.rows == pytest.approx(3 * (0.6 - found.measuring), abs=0.001)
    assert found.pretraining == found.rows * 2 / 6
    # two epochs of five domains, and a third of an epoch of one, of six over four
    assert found.measuring == pytest.approx((2 * 5 + 1 / 3) / (6 * 4), rel=0.05)
    assert found == read_choice(RunFolder(tmp_path))
    assert not (tmp_path / "population").exists()


def test_another_share_picks_again_without_measuring(tmp_path: Path) -> None:
    by = ByRepresentation(run=RUN)
    first = choose_sources(domains(), target="target", out=tmp_path, by=by, share=0.6)
    again = choose_sources(domains(), target="target", out=tmp_path, by=by, share=0.7)
    assert again.picked == ("twin", "kin", "other", "noise")
    assert again.rows == pytest.approx(3 * (0.7 - first.measuring), abs=0.001)
    assert again.seconds == first.seconds
    assert read_choice(RunFolder(tmp_path)) == again
    with pytest.raises(InputError, match=r"holds a run with other settings \(by\)"):
        choose_sources(domains(), target="target", out=tmp_path, by=ByGradients(run=RUN))


def test_where_nothing_fits_the_ranking_is_kept(tmp_path: Path) -> None:
    by = ByRepresentation(run=RUN)
    found = choose_sources(domains(), target="target", out=tmp_path, by=by, share=0.2)
    assert found.picked == ()
    assert found.rows == found.pretraining == 0
    assert found.sources[0] == "twin"
    assert "too few labels: use a share of 0.45\n" in str(found)  # .439 for measuring, .01 for rows
    with pytest.raises(InputError, match=r"no source was chosen: raise the --share"):
        follow(found, domains())
    raised = choose_sources(domains(), target="target", out=tmp_path, by=by, share=0.45)
    assert raised.picked == ("twin",)


def test_following_a_choice(tmp_path: Path) -> None:
    """The rows are those that were picked, whatever else the data set holds."""
    by = ByRepresentation(run=RUN)
    found = choose_sources(domains(), target="target", out=tmp_path, by=by, share=0.55)
    assert found.picked == ("twin", "kin")
    followed = follow(found, domains()).development
    assert [task.name for task in followed.tasks] == ["twin", "kin"]
    labels = followed.train.mask.sum(dim=0).tolist()
    assert labels[0] == 640  # all of the twin, and what fits of the kin
    assert labels[1] == len(followed.train) - 640 == round(4 * 640 * found.rows) - 640
    assert 0 < labels[1] < 640
    again = follow(found, domains()).development
    np.testing.assert_array_equal(again.train.inputs, followed.train.inputs)


@pytest.mark.parametrize("inputs", [4, 1000])
def test_a_probe_of_noise_scores_nothing(tmp_path: Path, inputs: int) -> None:
    """With four inputs the probe of noise points somewhere, and tells a quarter of the target's labels."""
    rng = np.random.default_rng(0)
    x, noise = rng.normal(size=(1500, inputs)), rng.random((1500, 40)) > 0.5
    y = np.column_stack([noise, x[:, 0] + x[:, 1] > 0, x[:, 0] > 0]).astype(float)
    score = ByLinearProbe()(RunFolder(tmp_path), from_arrays(x, y).development).score
    assert score.max() == score[-1] <= 1
    assert abs(score[:-1].mean()) < 0.02
    assert (score[:-1] <= 0).mean() > 0.4


def test_what_a_probe_costs(tmp_path: Path) -> None:
    """By hand: rows of 3 inputs, two sources and a target, widths (5,)."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(160, 3))
    y = np.stack([x[:, 0] > 0, x[:, 1] > 0, x[:, 2] > 0], axis=1).astype(float)
    joint = from_arrays(x, y).development
    n, some = len(joint.train), min(len(joint.train), 128)
    whitening = 2 * some**2 * 3 + 2 / 3 * some**3
    moments = 2 * 3 * (3 * n + 2 * len(joint.valid))
    probes = 2 * 2 * 3 * (2 * some + len(joint.valid) + n)
    network = 2 * (3 * 5 * 2 + 5 * 3 * 3)  # the first layer has no gradient of its inputs
    found = ByLinearProbe(widths=(5,))(RunFolder(tmp_path), joint)
    assert found.examples == pytest.approx((whitening + moments + probes) / network)


@pytest.mark.parametrize("by", RANKERS)
def test_scores_follow_the_sources(tmp_path: Path, by: str) -> None:
    joint = own_heads(table().development)
    expected = RANKERS[by](RunFolder(tmp_path / "a"), joint)
    order = [2, 0, 3, 1, 4]

    def turned(data: Any) -> Any:
        return replace(
            data,
            targets=data.targets[:, order],
            mask=data.mask[:, order],
            tasks=tuple(data.tasks[t] for t in order),
        )

    again = replace(joint, train=turned(joint.train), valid=turned(joint.valid))
    found = RANKERS[by](RunFolder(tmp_path / "b"), again)
    np.testing.assert_allclose(found.score, expected.score[order[:4]], rtol=0.02, atol=1e-6)
    assert found.examples == expected.examples


@pytest.mark.parametrize(("sources", "sets"), [(1, 1), (2, 2), (3, 6), (4, 6), (9, 8)])
def test_halves_are_distinct(sources: int, sets: int) -> None:
    found = random_halves(range(sources), 8, seed=0)
    assert len(found) == len(np.unique(found, axis=0)) == sets
    assert found[:, -1].all()
    assert found[:, :-1].any(axis=1).all()


def test_the_same_again(tmp_path: Path) -> None:
    joint = own_heads(table().development)
    first = RANKERS["lookahead"](RunFolder(tmp_path / "a"), joint)
    again = RANKERS["lookahead"](RunFolder(tmp_path / "b"), joint)
    np.testing.assert_array_equal(first.score, again.score)


def test_alignment_of_several_columns() -> None:
    rng = np.random.default_rng(0)
    a = rng.normal(size=(50, 3))
    turn, _ = np.linalg.qr(rng.normal(size=(3, 3)))
    assert alignment(a, 2 * a @ turn + 1) == pytest.approx(1)  # turns and scales change nothing
    assert alignment(a, rng.normal(size=(50, 2))) < 0.2


def test_a_sample_keeps_rare_labels() -> None:
    train = make_data("bb", rows=400, missing=0.0)
    mask = train.mask.clone()
    mask[10:, 1] = False
    sample = sample_rows(replace(train, mask=mask), 100, seed=0)
    assert sample.mask.sum(dim=0).tolist() == [100, 8]
    assert len(sample) == 100
    assert sample_rows(train, 400, seed=0) is train


def made_of(train: Any) -> Development:
    return Development(train=train, valid=train)


def counted(*rows: int) -> Any:
    """Sources with so many rows of their own."""
    data = make_data("b" * len(rows), rows=sum(rows), missing=0.0)
    mask = np.repeat(np.eye(len(rows), dtype=bool), rows, axis=0)
    return replace(data, mask=data.mask.new_tensor(mask))


THIRD = 2 / 6 + 1e-9  # two epochs of all, of six


def test_rows_of_the_best_come_first() -> None:
    train = counted(50, 30, 10, 10)
    data = made_of(train)
    falling = np.array([4.0, 3, 2, 1])
    assert pick(falling, data, share=THIRD) == ((0, 1, 2, 3), 100)
    assert pick(falling, data, share=0.4 * THIRD) == ((0,), 40)
    assert pick(falling, data, share=0.7 * THIRD) == ((0, 1), 70)
    assert pick(falling, data, share=0.55 * THIRD) == ((0,), 50)  # five labels are too few
    assert pick(falling, data, share=THIRD, most=2) == ((0, 1), 80)
    assert pick(np.array([-1.0, 3, 0, 1]), data, share=THIRD) == ((1, 3), 40)
    assert pick(np.array([-1.0, -3, -5, -2]), data, share=THIRD) == ((0,), 50)
    assert pick(falling, data, share=0.05 * THIRD) == ((), 0)
    assert pick(falling, data, share=-0.1) == ((), 0)


def test_a_best_source_with_too_few_labels_makes_room() -> None:
    assert pick(np.array([4.0, 3]), made_of(counted(5, 55)), share=THIRD, most=1) == ((1,), 55)


@pytest.mark.parametrize("share", [0.05, 0.1, 0.2, 0.5])
def test_what_is_picked_can_be_trained(share: float) -> None:
    """After sources are dropped rows are drawn again, and judged again."""
    train = make_data("b" * 12, rows=300, missing=0.9)
    for seed in range(20):
        score = np.random.default_rng(seed).random(12)
        picked, rows = pick(score, made_of(train), share=share * THIRD)
        read = first_rows(made_of(train), picked, rows).train
        assert len(read) == rows
        for s in picked:
            _, labels = read.labels(s)
            assert len(labels) >= 8
            assert 0 < labels.mean() < 1


def test_images_are_flattened(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(300, 3, 4, 4))
    y = np.stack([x[:, 0, 0, 0] > 0, x[:, 1, 0, 0] > 0, x[:, 0, 0, 0] > 0.1], axis=1)
    splits = from_arrays(x, y.astype(float), names=("kin", "other", "target"))
    for at, by in enumerate((ByLinearProbe(), ByGradients(run=RUN))):
        found = choose_sources(splits, target="target", out=tmp_path / str(at), by=by)
        assert found.sources[0] == "kin"


@pytest.mark.parametrize(
    ("name", "change", "message"),
    [
        ("ranking.json", {"score": [1.0, 2.0]}, "ranking.json is damaged: delete it and repeat"),
        ("ranking.json", {"score": ["NaN"] * 4}, "ranking.json is damaged: delete it and repeat"),
        (
            "ranking.json",
            {"by": None},
            r"ranking.json is damaged \('by': .*\): delete it and repeat",
        ),
        ("sources.json", {"rows": 1e9}, r"sources.json is damaged .*: delete it and repeat"),
        ("sources.json", {"picked": ["twin", "twin"]}, "sources.json is damaged"),
        ("sources.json", {"cost": [1.0]}, "sources.json is damaged"),
    ],
)
def test_damaged_files(tmp_path: Path, name: str, change: dict[str, Any], message: str) -> None:
    choose_sources(domains(), target="target", out=tmp_path)
    path = tmp_path / name
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    read: dict[str, Callable[[], object]] = {
        "ranking.json": lambda: choose_sources(domains(), target="target", out=tmp_path),
        "sources.json": lambda: read_choice(RunFolder(tmp_path)),
    }
    with pytest.raises(InputError, match=message):
        read[name]()


def test_shared_rows_are_read_once_and_others_ride_along() -> None:
    train = make_data("bbb", rows=100, missing=0.0)
    assert pick(np.array([1.0, 2, 3]), made_of(train), share=THIRD) == ((2, 1, 0), 100)
    assert pick(np.array([1.0, 2, 3]), made_of(train), share=0.4 * THIRD) == ((2, 1, 0), 40)


def test_what_is_refused(tmp_path: Path) -> None:
    for options, message in (
        ({"target": "targett"}, "target 'targett' is not a column: did you mean 'target'"),
        ({"target": "*"}, "'\\*' is 5 of 5 tasks: name one"),
        ({"target": "target", "share": 0.0}, "share must be above 0 and at most 1, got 0"),
        ({"target": "target", "most": 0}, "at least 1 source must be allowed"),
    ):
        with pytest.raises(InputError, match=message):
            choose_sources(table(), out=tmp_path / "run", **options)  # type: ignore[arg-type]


def test_words_and_picture(tmp_path: Path) -> None:
    by = ByRepresentation(run=replace(RUN, epochs=0.5))
    found = choose_sources(domains(), target="target", out=tmp_path, by=by, share=0.9, most=1)
    text = str(found)
    assert text.startswith(
        "4 sources ranked for target by representation: score (0: nothing found), and compute of 2 "
        "epochs over each alone\n  * twin "
    )
    assert "\nchosen (*): 1, with 25 % of the rows" in text
    assert "\ncompute: 2 epochs 8 %, measuring 13 % (" in text
    assert text.endswith("\nleft out: 3 beyond what is allowed, or of too few labels")
    data = found.figure()["data"]
    assert [trace["name"] for trace in data] == ["chosen", "left out"]
    assert data[1]["x"] == [1, 2, 3]

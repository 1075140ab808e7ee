"""Results that look like real ones: Tox21, one task, sixty tasks, and hostile names."""

import math
import random
from collections.abc import Sequence

import pytest

from cotrain.results import (
    AffinitySummary,
    Alternative,
    CostLine,
    Group,
    GroupingSummary,
    Interval,
    Price,
    Result,
    TaskResult,
)

TOX21 = [
    "NR-AR",
    "NR-AR-LBD",
    "NR-AhR",
    "NR-Aromatase",
    "NR-ER",
    "NR-ER-LBD",
    "NR-PPAR-gamma",
    "SR-ARE",
    "SR-ATAD5",
    "SR-HSE",
    "SR-MMP",
    "SR-p53",
]

HOSTILE = (
    "<script>document.title='owned'</script>",
    "<script>alert(1)</script>",
    "</script><script>document.title='owned'</script>",
    "</title><img src=x onerror=\"document.title='owned'\">",
    '" onmouseover="document.title=\'owned\'" x="',
    "' autofocus onfocus='document.title=1",
    "{{ 7 * 7 }}{% raw %}",
    "%{x} $\\alpha$ <b>bold</b> &lt;i&gt; &amp;",
    "<a href='javascript:document.title=1'>click</a>",
    "täsk 名前 🧪 \u202egnp.exe",
    "\x1b[31mred\x00\ud800",
    "long_" + "x" * 290 + "_end",
)


def interval(value: float, half: float) -> Interval:
    return Interval(value=value, low=value - half, high=value + half)


def make_task(name: str, rng: random.Random, partners: Sequence[str]) -> TaskResult:
    single = rng.uniform(0.65, 0.85)
    test = {
        "single": single,
        "joint": single + rng.gauss(0.01, 0.02),
        "groups": single + rng.gauss(0.02, 0.02),
        "linear": single - 0.03 + rng.gauss(0.0, 0.02),
        "trees": single + rng.gauss(0.0, 0.02),
        "extra trees": single + rng.gauss(0.0, 0.02),
    }
    first, second = sorted(test, key=lambda own: -test[own] - rng.gauss(0, 0.01))[:2]
    weights = {first: 0.7, second: 0.3}
    test["equal parts"] = sum(test.values()) / len(test) + 0.01
    shipped, half = 0.7 * test[first] + 0.3 * test[second] + 0.01, rng.uniform(0.01, 0.03)
    return TaskResult(
        name=name,
        kind="binary",
        metric="ROC AUC",
        train_labels=rng.randint(4000, 6000),
        test_labels=rng.randint(500, 800),
        weights=weights,
        served_by=f"{first} 70 %, {second} 30 %",
        partners=tuple(partners),
        valid={own: value + 0.01 for own, value in test.items() if own != "equal parts"},
        test=test,
        seed_std=dict.fromkeys(test, 0.004),
        shipped=shipped,
        gain_over_single=interval(shipped - single, half),
        gain_over_joint=interval(shipped - test["joint"], half),
        gain_over_trees=interval(shipped - test["trees"], half),
    )


def make_affinity(names: Sequence[str], rng: random.Random) -> AffinitySummary:
    block = [rng.randrange(max(1, len(names) // 5)) for _ in names]

    def cell(to: int, source: int) -> float:
        close = 0.004 if block[to] == block[source] else -0.0005
        return math.nan if to == source else rng.gauss(close, 0.0012)

    size = range(len(names))
    return AffinitySummary(
        tasks=tuple(names),
        mean=tuple(tuple(cell(i, j) for j in size) for i in size),
        standard_error=tuple(tuple(math.nan if i == j else 0.0004 for j in size) for i in size),
        probes=24,
        method="lookahead, plain SGD step of 0.05",
        agreement=0.9,
        reliability=0.5,
    )


def make_costs() -> tuple[CostLine, ...]:
    def line(stage: str, purpose: str, models: int, runs: float, seconds: float) -> CostLine:
        flops = runs * 3.1e12
        examples = 0 if math.isnan(runs) else int(runs * 620_000)
        return CostLine(
            stage=stage,
            trainings=models,
            joint_runs=runs,
            examples=examples,
            flops=flops,
            seconds=seconds,
            purpose=purpose,
        )

    return (
        line("tune", "deciding", 8, 1.9, 21.0),
        line("measure", "deciding", 1, 1.35, 14.2),
        line("single", "baseline", 36, 3.2, 48.0),
        line("joint", "baseline", 3, 3.0, 33.0),
        line("trees", "baseline", 12, math.nan, 19.5),
        line("groups", "shipping", 12, 5.6, 61.0),
    )


def make_result(names: Sequence[str], seed: int = 0) -> Result:
    rng = random.Random(seed)
    chunks = [tuple(names[i : i + 5]) for i in range(0, len(names), 5)]
    tasks = tuple(make_task(name, rng, chunks[i // 5]) for i, name in enumerate(names))
    means = {c: sum(task.test[c] for task in tasks) / len(tasks) for c in tasks[0].test}
    means["shipped"] = sum(task.shipped for task in tasks) / len(tasks)
    helped = [
        Group(tasks=chunk, serves=chunk[: max(1, len(chunk) - 1)], weights=(1.0,) * len(chunk))
        for chunk in chunks
    ]
    return Result(
        title=f"Tox21 {names[0]}",
        answer=f"Train {names[0]} with {len(names) - 1} others: the mean ROC AUC rises from "
        f"{means['single']:.3f} to {means['shipped']:.3f}, for 3.3 joint runs of deciding.",
        sentences=tuple(f"{own}: {mean:.3f}." for own, mean in means.items()),
        details=(
            "No task is significantly worse than its own network.",
            f"For {names[-1]} trees lost to every network.",
        ),
        tasks=tasks,
        mean_test=means,
        overall={
            "shipped - single": interval(means["shipped"] - means["single"], 0.008),
            "shipped - joint": interval(means["shipped"] - means["joint"], 0.006),
            "shipped - trees": interval(means["shipped"] - means["trees"], 0.03),
        },
        grouping=GroupingSummary(
            decided_by="transference",
            groups=tuple(helped),
            objective=0.801,
            bound=0.804,
            exact=False,
            unit="mean transference in a group",
            alternatives=tuple(
                Alternative(models=k, objective=0.7 + 0.05 * k, bound=0.71 + 0.05 * k)
                for k in range(1, len(chunks) + 3)
            ),
        ),
        affinity=make_affinity(names, rng),
        costs=make_costs(),
        prices={
            own: Price(models=at, networks=at, parameters=1000 * at, milliseconds=0.5 + at)
            for at, own in enumerate(own for own in means if own != "equal parts")
        },
        rows={"train": 6264, "valid": 783, "test": 784, "unlabelled": 0},
        seeds=3,
        budget=20.0,
        settings={"seed": "0", "split": "scaffold", "hidden": "512, 256", "epochs": "30"},
    )


@pytest.fixture
def tox21() -> Result:
    return make_result(TOX21)


@pytest.fixture
def one_task() -> Result:
    return make_result(TOX21[:1])


@pytest.fixture
def sixty_tasks() -> Result:
    return make_result([f"attribute {i:02d}" for i in range(60)])


@pytest.fixture
def hostile() -> Result:
    return make_result(HOSTILE)

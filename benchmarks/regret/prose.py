"""What the page of regrets says around its tables."""

from __future__ import annotations

ABOUT = """# Regret: what the plan of each method is worth, against what it cost

`python -m benchmarks regret`; notes on methods and errors at the end. Plans are decided on validation
information only and scored on test; gains are over training alone (AUC on Tox21, R² on ETTh1, relative
loss or gain on the published tables). The oracle knows the test gains.

![share of the oracle against trainings](regret.svg)

Blue: ours; green: other instruments of one joint run. Hollow: the plan as decided; filled: each task's
best of alone, together and group, chosen on validation. Curves: 5, 10, 20, 40 further sets trained.
Arrows: beyond the panel. HOA with the net is in the table only.
"""
READING = """## What it says

Where we win:

- **From trained sets, our surrogate gets most of what can be had.** With ten further sets it is ahead
  of the ridge on as many random sets in 9 of the 11 published columns with a share, level in one
  (Standley 2, k = 3), behind in one (Standley 2, k = 2: 27 % against 57 %). On ETTm1 it reaches 66 %
  and 56 % after 18 trainings; HOA 29 % and 28 % after 28, which is what random groups reach (33 %, 26
  %).
- **The net prevents harm**: with it none of our plans loses to training alone on any table (Taskonomy
  −125 % → 40 %, ETTh1 −.048 → +.004), at the price of up to T networks in the plan instead of k.

Where we lose:

- **Our default, the lookahead, is not worth its cost on the published tables.** −125 % and 27 % on
  Taskonomy; with the net 40 % and 45 %, where random groups with the same net get 60 % and 49 %; on
  ETTm1, with the net, 46 % and 32 % against 44 % and 36 %. (By the published affinities.)
- **HOA beats the surrogate where the best groups of five tasks are nearly pairs**: for 15 trainings
  against 16, Standley 2 86 % and 100 % against 27 % and 49 %, Standley 4 100 % and 100 % against 95 %
  and 85 %, Standley 3 (k = 3) 100 % against 89 %, Taskonomy (k = 3) 94 % against 88 %. It loses where
  larger groups count: ETTm1, Standley 1, Standley 3 and Taskonomy with k = 2. With the same net HOA is
  level or ahead of `ours: sampled` with it on all five-task columns but Standley 1, far behind on ETTm1
  (33 %, 23 % against 66 %, 63 %).
- **The net's trainings are better spent on more sets**: on ETTm1, 20 further sets (28 trainings) reach
  77 % and 67 %, ten and the net (30) 66 % and 63 %; on Standley 2, 100 % and 99 % against 45 % and 61
  %. `cotrain run` trains the net's networks anyway, as its baselines.
- **The net costs where all together is right**: .0013 to .0034 AUC on Tox21 below all together, since
  the best of three noisy validation scores is often the wrong one (`cotrain run` shrinks them and
  averages five seeds; that is not replayed here), and .006 and .015 of the lookahead's gain on ETTm1.

Where nobody wins:

- **Tox21**: all together has 91 % and 88 % for one training. Of some forty plans decided from one or
  two seeds only the lookahead's two groups are ahead of it by more than two standard errors (+.0013 ±
  .0003); its three groups are not (−.0019 ± .0021). A plan by four seeds' TEST gains is level with all
  together on the fifth seed (−.0004 ± .0031): the oracle's lead of .0052 is mostly luck that does not
  repeat. Data maps are the worst guide: as pairs 44 % and 29 %, below chance (79 %); as clusters at
  chance.
- **ETTh1**: train alone. The oracle's own gain is .0121 ± .0095, and a plan by four seeds' test gains
  loses .0069 ± .0119 on the fifth, so shares mean nothing here. Everything that looks on at one joint
  run loses .048 R² with two groups; the net brings that back to +.0035 ± .0132, but `single or joint`
  with the net has +.0040.
"""
NOTES = """
How to read it:

- ± standard errors. Published tables hold one network a set: only methods with random choices have an error
  there, over 20 seeds of the search (chance: 200 draws), and nobody knows the tables' own noise. On Tox21
  and ETTh1, jackknife over the five training seeds, which takes both the decider's and the judge's luck.
  The oracle is taken as known in errors of shares. `every set trained, 5 seeds` is judged by the networks
  that it saw on validation; all others, but those who see nothing, by the networks of other seeds.
- `chosen on validation`: each task takes the best on validation of itself alone, all together and its
  group: the safety net of `cotrain run` (there with shrinkage). Such a plan may use more than k networks
  and may beat the oracle of k groups, as may `single`. `single or joint` and `chance` with the same net
  show what the net does without any measurement.
- `ours: lookahead`: the default; on MTG-Net's tables, from the published TAG affinities. `TAG`: the same
  affinities, no group of one. Standley et al. publish no affinities. `ours: sampled`: `--with sampled`,
  ten further sets, eight at a time, from two seeds on our own truths; `sampled, N sets`: five at a time,
  from one seed.
- HOA is the pairwise mean of the validation pairs, which the published predictions are, to rounding.
  `data map`: pairs closer than average help; `clusters`: hard k-means clusters, at most k. `ridge`: random
  sets. Standley has one network a set, its validation loss decides, its test loss scores; MTG-Net's
  Taskonomy has one gain for both, so whoever trains sets sees the truth there.
- Trainings are of one network from one seed; `in all` with those of the plan that deciding did not train.
  A joint run with probes counts as measured (all four instruments looked on; on published
  tables the mean of ours). Choosing trains its networks anew.
- `·`: the oracle gains less than .005, no share.
"""

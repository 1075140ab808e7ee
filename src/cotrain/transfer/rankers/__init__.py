"""Ways to score sources for a target before any encoder is pre-finetuned.

``base`` says what a ranker is; ``linear_probe`` trains no network; ``by_short_run`` has four that look at a
short joint run (``short_run``) of the sources and the target.
"""

"""Where cohorts of members are trained, and how they survive being killed."""

"""Training, validation and test rows: at random, stratified, by group, by time."""

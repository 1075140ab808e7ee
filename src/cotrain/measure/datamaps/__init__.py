"""Easy, ambiguous, hard and doubtful labels, from how a network learned them."""

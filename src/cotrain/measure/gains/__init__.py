"""What tasks gain in the sets that were trained, and what they would in the others."""

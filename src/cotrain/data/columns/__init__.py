"""What a column is: target, input or left out, and of which kind."""

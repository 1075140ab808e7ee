"""How alike the gradients of tasks are, and of samples."""

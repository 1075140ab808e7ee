"""What everyone compares with: gradient-boosted trees. (Single-task and joint networks are populations.)"""

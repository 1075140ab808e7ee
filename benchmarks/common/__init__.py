"""What several benchmarks use: options, data sets, networks, timing, tables and figures."""

"""Speed beside a yardstick, in the same run on the same files. `python -m benchmarks` prints the tables."""

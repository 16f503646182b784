"""Fakes and processes for tests and benchmarks; imported by nothing else."""

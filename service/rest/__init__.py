"""REST: HTTP and JSON around the pipeline, and nothing else."""

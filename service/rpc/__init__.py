"""gRPC: protobuf messages around the pipeline, and nothing else."""

"""gRPC: the pipeline over protobuf messages."""

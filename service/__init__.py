"""deephar-serve: the gateway between REST or gRPC callers and the networks that Triton runs."""

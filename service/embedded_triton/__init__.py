"""The embedded Triton: started by the service and kept running."""

"""REST: the pipeline over HTTP and JSON."""

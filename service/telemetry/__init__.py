"""What operators see of the service: metrics, access lines and traces. It knows no other part of the service."""

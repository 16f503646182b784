"""Pure functions on arrays. Nothing asynchronous."""

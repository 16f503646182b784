"""The use cases. No word of a transport."""

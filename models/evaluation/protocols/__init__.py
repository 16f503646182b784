"""What each data set's evaluation asks of a model, and what it makes of the answers."""

"""The field's metrics as pure functions of arrays."""

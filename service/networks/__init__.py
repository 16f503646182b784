"""The only folder that knows tensor names, cards and Triton."""

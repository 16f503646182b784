"""Networks and Triton: the only folder that knows tensor names, cards and Triton's client."""

"""Who may call: API keys, tokens, and how much each caller may ask at a time. No word of a transport."""

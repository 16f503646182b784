"""For tests and bench only: nothing else imports this."""

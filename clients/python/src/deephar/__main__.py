"""`python -m deephar` is the command `deephar`."""

from deephar.cli import main

main()

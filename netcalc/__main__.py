"""`python -m netcalc`."""

from .cli import main

main()

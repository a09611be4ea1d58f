"""`python -m freerun.app`: the command line without the installed script."""

from freerun.app.cli import main

main()

"""`python -m tmdbkit` is the command line."""

from tmdbkit.cli.main import main

if __name__ == "__main__":
    raise SystemExit(main())

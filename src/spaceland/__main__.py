"""`python -m spaceland` is the command line."""

from spaceland.cli import main

if __name__ == "__main__":
    main()

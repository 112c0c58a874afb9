"""`python -m bench`: every comparison that fits a laptop."""

from bench.first_light import main

if __name__ == "__main__":
    main()

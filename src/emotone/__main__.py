"""`python -m emotone`: the same as the command `emotone`."""

from __future__ import annotations

from emotone.cli.start import main

if __name__ == "__main__":
    main()

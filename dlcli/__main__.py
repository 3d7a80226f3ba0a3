"""``python -m dlcli``."""

import sys

from dlcli.cli.main import run, silence_libraries

if __name__ == "__main__":
    if "--debug" not in sys.argv:
        silence_libraries()
    sys.exit(run(sys.argv[1:]))

"""The command ``baznashr-server``, also run as ``python -m baznashr_server``."""

import sys


def main() -> None:
    if sys.argv[1:2] == ["bulk"]:  # which is timed from its start, and needs none of the settings of a server
        from baznashr_server.bulk.start import main as bulk  # noqa: PLC0415

        bulk()
    else:
        from baznashr_server.cli import main as command  # noqa: PLC0415

        command()


if __name__ == "__main__":
    main()

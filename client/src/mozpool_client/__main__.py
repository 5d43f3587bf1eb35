"""`python -m mozpool_client` is the command `mozpool`."""

from mozpool_client.cli.app import main

if __name__ == "__main__":
    main(prog_name="mozpool")

"""What people do first: a PythonOperator's loop over the SDK, one image after the other."""

from __future__ import annotations

import sys
import time

import psycopg

from labs.bench.programs.calls.official_sdk import insert, permit_row, typed_client


def main(dsn: str, table: str, endpoint: str, seconds: str) -> None:
    """Recognize images from a list for some seconds.

    :param table: prefix of the list's and the result's names.
    """
    until = time.monotonic() + float(seconds)
    client = typed_client(endpoint)
    with psycopg.connect(dsn) as connection:
        listed = connection.execute(f"SELECT image_id, image, card_side FROM {table}_images").fetchall()  # noqa: S608
        for image in listed:
            if time.monotonic() > until:
                break
            insert(connection, f"{table}_permits", [permit_row(client, *image)])


if __name__ == "__main__":
    main(*sys.argv[1:])

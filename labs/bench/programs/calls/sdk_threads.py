"""A common approach: 32 threads around the SDK, without pacing; refused calls are logged and lost."""

from __future__ import annotations

import logging
import sys
from concurrent.futures import ThreadPoolExecutor, as_completed
from typing import Final

import psycopg
from tencentcloud.common.exception.tencent_cloud_sdk_exception import TencentCloudSDKException

from labs.bench.programs.calls.official_sdk import insert, permit_row, typed_client

_THREADS: Final = 32


def main(dsn: str, table: str, endpoint: str) -> None:
    """Recognize all images of a list.

    :param table: prefix of the list's and the result's names.
    """
    client = typed_client(endpoint)
    with psycopg.connect(dsn) as connection, ThreadPoolExecutor(_THREADS) as pool:
        listed = connection.execute(f"SELECT image_id, image, card_side FROM {table}_images").fetchall()  # noqa: S608
        for future in as_completed([pool.submit(permit_row, client, *image) for image in listed]):
            try:
                row = future.result()
            except TencentCloudSDKException as refused:
                logging.warning("%s", refused.get_code())
            else:
                insert(connection, f"{table}_permits", [row])


if __name__ == "__main__":
    main(*sys.argv[1:])

"""An account of Tencent Cloud, as a connection of type ``tencentcloud`` describes it."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import TYPE_CHECKING

import tenacity

from airflow_provider_permitocr.errors import (
    OF_ACCOUNT,
    AccountError,
    CallError,
    ConfigurationError,
    Decision,
    PermitOcrError,
    sentences,
)
from airflow_provider_permitocr.options.budget import Budget
from airflow_provider_permitocr.options.lists.image_access import ImageAccess
from airflow_provider_permitocr.options.run import CallRetry, Pace, RunOptions
from airflow_provider_permitocr.tencent.keys.sts import Identity, caller_identity
from airflow_provider_permitocr.tencent.keys.trial import Trial, try_account
from airflow_provider_permitocr.wiring.connections.tencentcloud import (
    client_options,
    connection_keys,
    find_connection,
    given_account,
    requests_per_slot,
    warn_of_endpoint,
)

if TYPE_CHECKING:
    from airflow.sdk import Connection

    from airflow_provider_permitocr.images.conversion.convert import ImageConverter
    from airflow_provider_permitocr.images.download import Downloader
    from airflow_provider_permitocr.images.request_builder import PermitRequestBuilder
    from airflow_provider_permitocr.tencent.client import MainlandPermitClient
    from airflow_provider_permitocr.tencent.keys.credentials import KeySource
    from airflow_provider_permitocr.tencent.options import ClientOptions


class TencentCloud:
    """Everything that calls need: the client, the images, the pace and the price.

    Everything is opened at first use; ``close`` closes it.

    :param tencentcloud_conn_id: connection of type ``tencentcloud``.
    :param with_portrait: request the portrait.
    :param images: how images are read and converted for the API.
    :param max_per_second: requests per second, instead of the pool's share.
    :param max_in_flight: maximum requests in flight.
    :param call_retry: how often to retry a call after a transient error.
    """

    def __init__(
        self,
        tencentcloud_conn_id: str,
        *,
        with_portrait: bool,
        images: ImageAccess,
        max_per_second: float | None,
        max_in_flight: int | None,
        call_retry: CallRetry,
    ) -> None:
        self.tencentcloud_conn_id = tencentcloud_conn_id
        self._with_portrait = with_portrait
        self._images = images
        self._max_per_second = max_per_second
        self._max_in_flight = max_in_flight
        self._call_retry = call_retry

    @cached_property
    def _connection(self) -> Connection:
        return find_connection(self.tencentcloud_conn_id)

    @cached_property
    def client_options(self) -> ClientOptions:
        """The connection as checked options; looked up at first use.

        :raises ConfigurationError: naming the field to change.
        """
        return client_options(self._connection)

    def client(self) -> MainlandPermitClient:
        """Return this package's own client, whose errors carry a decision. Close it, or use a ``with`` block.

        :raises ConfigurationError: when a field of the connection, its proxy or its ca_bundle is wrong.
        """
        from airflow_provider_permitocr.tencent.client import MainlandPermitClient

        warn_of_endpoint(self.tencentcloud_conn_id, self.client_options.foreign_endpoint)
        return MainlandPermitClient(self.client_options, self._keys)

    def account(self) -> str:
        """Return the account's id: the connection's ``account``, or else asked of STS, free of charge.

        STS is asked as often as an image is called for.

        :raises AccountError, PermitOcrError: when STS refuses, or cannot be asked now.
        """
        if given := given_account(self._connection):
            return given
        try:
            return self._asked_patiently().account
        except CallError as error:
            if error.decision is Decision.ACCOUNT:
                raise AccountError(
                    error, sentences(error.advice, "No call was made, so nothing is paid for.")
                ) from None
            raise PermitOcrError(
                f"connection {self.tencentcloud_conn_id!r}: its account could not be looked up ({error}); try"
                " again, or put the account's ID in the connection's field account"
            ) from None

    def identity(self) -> Identity:
        """Ask STS, free of charge, who owns these keys.

        :raises ConfigurationError: naming the field of the connection to change.
        :raises CallError: transient when STS is unreachable; with advice when it refuses.
        """
        return caller_identity(self.client_options, self._keys)

    def _asked_patiently(self) -> Identity:
        policy = self._call_retry
        retrying = tenacity.Retrying(
            retry=tenacity.retry_if_exception(_may_pass),
            stop=tenacity.stop_after_attempt(policy.attempts),
            wait=tenacity.wait_random_exponential(policy.base_seconds, max=policy.max_wait_seconds),
            reraise=True,
        )
        return retrying(self.identity)

    def priced(self, budget: Budget) -> Budget:
        """Return a budget with the connection's price and currency, each unless it has its own.

        :raises ConfigurationError: naming the field of the connection to change.
        """
        extra = self._connection.extra_dejson
        price = extra.get("price_per_call")
        try:
            return budget.priced(None if price in (None, "") else price, extra.get("currency") or None)
        except ValueError as error:
            raise ConfigurationError(f"connection {self.tencentcloud_conn_id!r}: {error}") from None

    def request_builder(self) -> PermitRequestBuilder:
        """Return what loads and checks images.

        It keeps connections to download over, and processes that convert images: ``close`` ends them.

        :raises ConfigurationError: naming the field of the connection to change, or the extra to install.
        """
        from airflow_provider_permitocr.images.host_rules import HostRules
        from airflow_provider_permitocr.images.object_uri import ObjectUri
        from airflow_provider_permitocr.images.request_builder import PermitRequestBuilder
        from airflow_provider_permitocr.images.roots import ImageRoots
        from airflow_provider_permitocr.wiring.connections.object_storage import ObjectStorage
        from airflow_provider_permitocr.wiring.connections.presigned_cos import presign_with

        images, conn_id, converter = self._images, self.tencentcloud_conn_id, self._converter
        roots, presign = ImageRoots(images.roots), presign_with(images, conn_id)

        def presign_below_roots(uri: str) -> str | None:
            url = presign(uri)
            if url is not None:
                roots.require_object(ObjectUri.parse(uri))
            return url

        return PermitRequestBuilder(
            max_base64_bytes=self.client_options.site.max_base64_bytes,
            with_portrait=self._with_portrait,
            download=self._downloader.read if images.fetch_images else None,
            pass_on=HostRules(images.fetch_hosts).passed_on,
            read_stored=ObjectStorage(images.storage_conn_id, cos_conn_id=conn_id, roots=roots).read,
            presign=presign_below_roots,
            convert=converter.convert if converter else None,
            shrink=converter.shrink if converter and images.shrink_oversized else None,
            max_original_bytes=images.max_original_bytes,
        )

    def run_options(self, pool_slots: int | None = None, *, phase: float | None = None) -> RunOptions:
        """Return a run's options, mainly its pace.

        :param pool_slots: slots of the task; by default those of the running task, if any.
        :param phase: when its turns come within the interval between two turns, see ``Pace``.
        :raises ConfigurationError, ValueError: naming the option to change.
        """
        share = (pool_slots or _slots_of_running_task() or 1) * requests_per_slot(self._connection)
        rate = share if self._max_per_second is None else self._max_per_second
        return RunOptions(pace=Pace(rate, self._max_in_flight, phase), call_retry=self._call_retry)

    @property
    def is_rate_default(self) -> bool:
        """Whether neither a pool nor an argument sets the rate."""
        return self._max_per_second is None and _slots_of_running_task() is None

    def close(self) -> None:
        """Close connections and end processes; later use opens new ones."""
        for name in ("_downloader", "_converter"):
            if (kept := self.__dict__.pop(name, None)) is not None:
                kept.close()

    @cached_property
    def _keys(self) -> KeySource:
        return connection_keys(self.tencentcloud_conn_id, self.client_options)

    @cached_property
    def _downloader(self) -> Downloader:
        from airflow_provider_permitocr.images.download import Downloader

        return Downloader(self._images)

    @cached_property
    def _converter(self) -> ImageConverter | None:
        from airflow_provider_permitocr.images.conversion.convert import find_converter

        return find_converter(required=self._images.shrink_oversized)


def trial_of(conn_id: str) -> Trial:
    """Find out, free of charge, who owns a connection's keys and whether they may call the API.

    :raises ConfigurationError: naming the field of the connection to change.
    :raises CallError: with advice.
    """
    options = client_options(find_connection(conn_id))
    return try_account(options, connection_keys(conn_id, options))


def try_connection(attempt: Callable[[], Trial]) -> tuple[bool, str]:
    """Report whether calls would work with a connection, and as whom, or what to fix.

    :param attempt: reads the connection, and tries it free of charge.
    """
    try:
        trial = attempt()
    except CallError as error:
        return False, sentences(f"{error.code}: {error.message}", error.advice)
    except ConfigurationError as error:
        return False, str(error)
    said = [f"The credentials are valid: {trial.identity}"]
    if trial.unknown:
        said.append(f"Whether they may call the API is unknown ({trial.unknown})")
    if trial.foreign_endpoint:
        said.append(f"Images and signatures go to {trial.foreign_endpoint}, as allow_endpoint allows")
    return True, sentences(*said)


def _slots_of_running_task() -> int | None:
    from airflow.sdk import get_current_context

    try:
        return int(get_current_context()["ti"].task.pool_slots)
    except RuntimeError:
        return None


def _may_pass(error: BaseException) -> bool:
    return isinstance(error, CallError) and error.decision not in OF_ACCOUNT

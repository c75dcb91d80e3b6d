"""The hook: a connection of type ``tencentcloud``, and recognition for tasks, scripts and notebooks."""

from __future__ import annotations

import base64
import binascii
import secrets
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence, Sized
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime
from functools import cached_property
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from airflow.sdk import BaseHook

from airflow_provider_permitocr.counted import many
from airflow_provider_permitocr.engine.call.rate_limit import RateLimiter
from airflow_provider_permitocr.engine.call.row import Recognizer
from airflow_provider_permitocr.engine.delivery.record import outcome_record
from airflow_provider_permitocr.engine.models import ImageRow, ImageValue, Left, Outcome
from airflow_provider_permitocr.engine.run.hand_over import completed
from airflow_provider_permitocr.error_privacy import private_errors, remove_data
from airflow_provider_permitocr.errors import PermitOcrError
from airflow_provider_permitocr.options.lists.image_access import ImageAccess
from airflow_provider_permitocr.options.lists.image_list import ImageKind
from airflow_provider_permitocr.options.privacy import Privacy, policy_of
from airflow_provider_permitocr.options.quality import Quality
from airflow_provider_permitocr.options.run import CallRetry
from airflow_provider_permitocr.options.targets.portraits import Portraits, portraits_of
from airflow_provider_permitocr.permit.answers import Reading
from airflow_provider_permitocr.permit.api import CardSide
from airflow_provider_permitocr.permit.columns import Record
from airflow_provider_permitocr.tencent.keys.trial import try_account
from airflow_provider_permitocr.wiring.cloud import TencentCloud, try_connection
from airflow_provider_permitocr.wiring.connections.tencentcloud import (
    CONNECTION_TYPE,
    DEFAULT_CONN_ID,
    warn_of_endpoint,
)
from airflow_provider_permitocr.wiring.monitoring.notebook import is_interactive, progress_bar

if TYPE_CHECKING:
    import pandas as pd
    from tencentcloud.ocr.v20181119.ocr_client import OcrClient

    from airflow_provider_permitocr.files.portrait_files import PortraitFiles
    from airflow_provider_permitocr.images.request_builder import PermitRequestBuilder
    from airflow_provider_permitocr.permit.privacy import Protection
    from airflow_provider_permitocr.tencent.client import MainlandPermitClient


class MainlandPermitOcrHook(TencentCloud, BaseHook):
    """Recognizes mainland travel permits with Tencent Cloud's MainlandPermitOCR.

    It keeps no ledger: an image recognized twice is paid for twice, and answers are lost with the process.
    Use the operator for image lists. Connections stay open between calls; ``close``, or leaving a ``with``
    block, closes them.

    In a task, its rate is the task's share of the pool: ``pool_slots`` times ``requests_per_slot`` requests
    per second. Elsewhere it is ``requests_per_slot``, 1 by default.

    :param tencentcloud_conn_id: connection of type ``tencentcloud``.
    :param portraits: also ask for portraits: a ``PortraitFolder``, whose paths ``profile`` then has; or
        ``column``, for base64 in ``profile``.
    :param privacy: how each value is protected: a ``Privacy``, ``analytics`` or ``pseudonymous``; None: all
        values are kept.
    :param quality: which flags raise doubts about fields, and the copied columns to compare them with.
    :param images: how images are read, and converted for the API.
    :param max_per_second: requests per second, instead of that share.
    :param max_in_flight: requests in flight.
    :param call_retry: how often a call is retried after a transient error.
    """

    conn_name_attr = "tencentcloud_conn_id"
    default_conn_name = DEFAULT_CONN_ID
    conn_type = CONNECTION_TYPE
    hook_name = "Tencent Cloud"

    def __init__(
        self,
        tencentcloud_conn_id: str = default_conn_name,
        *,
        portraits: Portraits | str | None = None,
        privacy: Privacy | str | None = None,
        quality: Quality = Quality(),
        images: ImageAccess = ImageAccess(),
        max_per_second: float | None = None,
        max_in_flight: int | None = None,
        call_retry: CallRetry = CallRetry(),
        **kwargs: Any,
    ) -> None:
        self._portraits = portraits_of(portraits)
        self._policy = policy_of(privacy)
        self._quality = quality
        if self._policy is not None:
            self._policy.require_portraits(wanted=self._portraits is not None)
        BaseHook.__init__(self, **kwargs)
        TencentCloud.__init__(
            self,
            tencentcloud_conn_id,
            with_portrait=self._portraits is not None,
            images=images,
            max_per_second=max_per_second,
            max_in_flight=max_in_flight,
            call_retry=call_retry,
        )
        #: Answers of an interrupted ``recognize_frame``, in the form that it returns.
        self.answered: pd.DataFrame | None = None
        self._is_rate_logged = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def get_conn(self) -> OcrClient:
        """Return the official SDK's typed OCR client, with this connection's credentials."""
        from airflow_provider_permitocr.tencent.sdk import ocr_client

        warn_of_endpoint(self.tencentcloud_conn_id, self.client_options.foreign_endpoint)
        return ocr_client(self.client_options, self._keys)

    @private_errors
    def recognize(self, image: ImageValue, card_side: CardSide | str = CardSide.FRONT) -> Record:
        """Recognize one image.

        :param image: a path; a text: an http(s) URL, an absolute path, a file:// or object-store URL, a data:
            URI or base64; or the file's bytes.
        :return: the flattened columns of the result table. Its ``status`` shows the outcome, as in a table. A
            rejected or failed image raises nothing; ``retry`` means that another try may help.
        :raises AccountError: when the account or the connection would fail every call.
        """
        rows = [ImageRow("", image, CardSide(card_side))]
        return next(iter(self.recognize_rows(rows, progress=False)))

    def recognize_rows(
        self, rows: Iterable[ImageRow], *, reuse_identical: bool = False, progress: bool | None = None
    ) -> Iterator[Record]:
        """Recognize a stream of rows in parallel; records come in the order of the answers.

        :param reuse_identical: a repeated picture takes its first answer, without a call; remembers the last
            5,000 pictures.
        :param progress: show a progress bar, which needs tqdm; None: in a notebook or at a prompt.
        :raises TypeError: for anything but ``ImageRow`` values.
        :raises AccountError, ThrottledTooLongError: after yielding the answers so far.
        """
        total = len(rows) if isinstance(rows, Sized) else None
        try:
            with progress_bar(total, is_wanted=progress) as done:
                for outcome in self._outcomes(_image_rows(rows), reuse_identical=reuse_identical):
                    done(1)
                    yield self._record(outcome, datetime.now(UTC))
        except BaseException as error:
            remove_data(error)
            raise

    @private_errors
    def recognize_frame(
        self,
        frame: pd.DataFrame,
        *,
        image: str = "image",
        key: str | None = None,
        card_side: str | None = None,
        default_side: CardSide | str = CardSide.FRONT,
        image_kind: ImageKind | str = ImageKind.AUTO,
        carry_columns: Sequence[str] = (),
        reuse_identical: bool = False,
        progress: bool | None = None,
    ) -> pd.DataFrame:
        """Recognize a frame of image references.

        Interrupted in a notebook or at a prompt (Ctrl-C), it returns the frame with the answers so far; rows
        that were not answered have no ``status``. A script is interrupted as usual.

        :param frame: one row per image.
        :param image: name of its column with the images, see ``recognize``.
        :param key: column for ``image_key``; by default the index.
        :param card_side: column with FRONT or BACK; a missing value means ``default_side``.
        :param image_kind: what the images are, such as ``url`` or ``base64``, if the values should not
            decide.
        :param carry_columns: columns of ``frame`` that are copied into the answer, after its columns:
            unchanged, or as ``Privacy(carried=...)`` says. A policy must name every one.
        :param reuse_identical: see ``recognize_rows``; ``reused_from`` has the key of the first.
        :param progress: see ``recognize_rows``.
        :return: one row per row of ``frame``, in its order and with its index; the columns of the result
            table, with fixed dtypes, even without rows or answers. If it is interrupted or raises,
            ``answered`` has the rows answered so far.
        :raises TypeError: if ``frame`` is not a DataFrame.
        :raises ValueError: for a missing or duplicate column, one that the policy does not name, one that is
            compared and not copied, a side other than FRONT and BACK, or an unknown kind.
        :raises AccountError: when the account or the connection would fail every call.
        """
        from airflow_provider_permitocr.engine.delivery.frame import (
            FrameAnswers,
            carried_columns,
            image_rows,
            protected_columns,
            require_frame,
        )

        require_frame(frame)
        self.log.info(f"{many(len(frame), 'image')} without a ledger: each call for them is paid for")
        carried = carried_columns(frame, carry_columns)
        self._quality.require_carried(carry_columns)
        self._quality.require_own_answers(
            is_protected=self._policy is not None, reuse_identical=reuse_identical
        )
        declared = carried[list(self._quality.declared_columns.values())]
        if self._policy is not None:
            self._policy.require_carried(list(carry_columns))
            carried = protected_columns(carried, self._protection)
        rows = image_rows(
            frame,
            image=image,
            key=key,
            card_side=card_side,
            default_side=CardSide(default_side),
            image_kind=ImageKind(image_kind),
            declared=declared,
        )
        answers = FrameAnswers(frame, rows, carried)
        now = datetime.now(UTC)

        def keep(outcome: Outcome) -> None:
            answers.keep(outcome.row, self._record(outcome, now))

        self.answered = None
        try:
            with progress_bar(len(rows), is_wanted=progress) as done:
                for _ in self._outcomes(rows, reuse_identical=reuse_identical, keep=keep):
                    done(1)
        except BaseException as error:
            self.answered = answers.answered()
            if not isinstance(error, KeyboardInterrupt) or not is_interactive():
                raise
            self.log.warning(
                f"Interrupted: {len(self.answered):,} of {len(rows):,} images are answered; the others have"
                " no status"
            )
        return answers.whole()

    def test_connection(self) -> tuple[bool, str]:
        """Ask STS who owns these credentials, and the API whether they may call it; costs nothing.

        Called by the UI's test button.
        """
        return try_connection(lambda: try_account(self.client_options, self._keys))

    def close(self) -> None:
        """Close connections and end processes; later calls open new ones."""
        self.__dict__.pop("_kept_builder", None)
        if (client := self.__dict__.pop("_kept_client", None)) is not None:
            client.close()
        super().close()

    def _outcomes(
        self,
        rows: Iterable[ImageRow],
        *,
        reuse_identical: bool,
        keep: Callable[[Outcome], object] = lambda _outcome: None,
    ) -> Iterator[Outcome]:
        stop = threading.Event()
        options = replace(self.run_options(), reuse_identical=reuse_identical)
        self._log_rate(options.pace.max_per_second)
        recognizer = Recognizer(
            self._kept_builder,
            self._kept_client,
            options,
            stop,
            reading=self._reading,
            limiter=self._limiter,
        )

        def recognize(row: ImageRow) -> Outcome | None:
            outcome = recognizer.recognize(row)
            if isinstance(outcome, Left):
                return None
            # In this thread: if the waiting one is interrupted, paid answers are kept.
            keep(outcome)
            return outcome

        stream = completed(recognize, rows, max_in_flight=lambda: recognizer.rows_wanted, stop=stop)
        is_ending = False
        with closing(stream):
            for outcomes in stream:
                if stop.is_set() and not is_ending and (in_flight := recognizer.in_flight):
                    self.log.info(f"Ending after {many(in_flight, 'call')} in flight, which may be paid for")
                is_ending = stop.is_set()
                yield from outcomes

    def _log_rate(self, per_second: float) -> None:
        """Log the rate once if no pool sets it."""
        if not self._is_rate_logged and self.is_rate_default:
            self._is_rate_logged = True
            requests = "request" if per_second == 1 else "requests"
            self.log.info(
                f"{per_second:g} {requests} per second, as there is no pool here. To raise it, up to your"
                " account's quota: MainlandPermitOcrHook(max_per_second=...)"
            )

    def _record(self, outcome: Outcome, processed_at: datetime) -> Record:
        if self._protection.hides_image:
            outcome = replace(outcome, facts=outcome.facts.without_identity)
        record = outcome_record(outcome, processed_at=processed_at)
        carried = {name: record[name] for name in outcome.row.carried}
        record |= self._protection.protect_carried(carried, is_new=True)
        if self._portrait_files and isinstance(portrait := record["profile"], str):
            name = secrets.token_hex(20)
            try:
                record["profile"] = self._portrait_files.put({name: base64.b64decode(portrait)})[name]
            except binascii.Error:
                self.log.warning("A portrait stays in the column profile, as it is not base64")
            except PermitOcrError as error:  # it is paid for, and stored nowhere else
                self.log.warning(f"A portrait stays in the column profile, as base64: {error}")
        return record

    # All are kept between calls: with new ones for each call, a loop would send as fast as it can, and
    # connect each time.
    @cached_property
    def _reading(self) -> Reading:
        from airflow_provider_permitocr.wiring.privacy import reading_of

        return reading_of(self._quality, self._policy)

    @property
    def _protection(self) -> Protection:
        return self._reading.protection

    @cached_property
    def _portrait_files(self) -> PortraitFiles | None:
        from airflow_provider_permitocr.wiring.privacy import portrait_files

        return portrait_files(self._portraits)

    @cached_property
    def _limiter(self) -> RateLimiter:
        return RateLimiter(self.run_options().pace)

    @cached_property
    def _kept_builder(self) -> PermitRequestBuilder:
        return self.request_builder()

    @cached_property
    def _kept_client(self) -> MainlandPermitClient:
        return self.client()


def _image_rows(rows: Iterable[ImageRow]) -> Iterator[ImageRow]:
    """Pass rows on as they are read.

    :raises TypeError: for what has no key, such as a path.
    """
    # A single row is not iterable, and its error would not say what is.
    for row in [None] if isinstance(rows, ImageRow) else rows:
        if not isinstance(row, ImageRow):
            given = type(rows if row is None else row).__name__
            raise TypeError(f"recognize_rows takes an iterable of ImageRow(image_key, image), not {given}")
        yield row

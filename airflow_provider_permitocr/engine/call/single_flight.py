"""The same picture once: a row whose image was recognized before takes that answer, without a call."""

from __future__ import annotations

import logging
import threading
from collections import OrderedDict
from collections.abc import Callable
from typing import TYPE_CHECKING, Final, Generic, TypeAlias, TypeVar

from airflow_provider_permitocr.engine.call.rate_limit import raise_if_stopped
from airflow_provider_permitocr.engine.models import Answer, ImageFacts, ImageRow, Outcome, PermitRequest
from airflow_provider_permitocr.permit.api import CardSide
from airflow_provider_permitocr.permit.status import Status

if TYPE_CHECKING:
    from airflow_provider_permitocr.engine.ledger.ports import Answers

_log = logging.getLogger(__name__)
T = TypeVar("T")
#: Digest and side: images that agree in both get the same answer.
Picture: TypeAlias = "tuple[str, CardSide]"
LoadImage: TypeAlias = "Callable[[ImageRow], PermitRequest]"

#: More than there are calls in flight, whose answers are in the ledger within a second: while it cannot be
#: reached, no others are sent.
_KEPT: Final = 512
#: Where there is no ledger to look them up in. An answer takes about 2 KB, one with a portrait tens of them.
_KEPT_WITHOUT_LEDGER: Final = 5_000
#: Rows that wait for the answer of another need no call, so others have to be under way in their place; as
#: many as there are threads for. Where the list itself holds the images, they are in memory all the while.
_MOST_WAITING: Final = 128
_LOOK_SECONDS: Final = 0.25


class SameImageAnswers:
    """Answers of a run by picture, for many threads at once.

    The first row of a picture leads: it looks into the ledger, or else calls. Rows of the same picture that
    come meanwhile wait for its answer, without their image. Only an answer with fields is shared. Where the
    leader gave up for now, the next leads; where the image itself has failed, each calls for itself, as
    waiting for one another would bring nothing.

    Answers are kept until they are surely in the ledger; without one, the last few thousand.

    :param stop: once set, rows that wait are given up.
    :param answers: those that the ledger holds already; None where there is no ledger.
    """

    def __init__(self, stop: threading.Event, *, answers: Answers | None) -> None:
        self._stop, self._known = stop, answers
        self._state = threading.Lock()
        self._has_told = False
        kept = _KEPT if answers else _KEPT_WITHOUT_LEDGER
        self._answers: _Latest[Answer] = _Latest(kept)
        self._failed: _Latest[bool] = _Latest(kept)
        self._leads: dict[Picture, _Lead] = {}
        self._waiting = 0

    @property
    def rows_waiting(self) -> int:
        """How many rows wait for the answer of another, as far as others should be under way for them."""
        return min(self._waiting, _MOST_WAITING)

    def recognize(
        self, row: ImageRow, load: LoadImage, ask: Callable[[ImageRow, LoadImage], Outcome]
    ) -> Outcome:
        """Take a row to the answer of its picture, by a call of its own if need be.

        :param load: makes the row's request, image included.
        :param ask: takes the row to its outcome by calls, making the request by what it is given.
        :raises RunStoppedError: when the run was asked to stop while the row was waiting.
        """
        while True:
            try:
                return self._lead(row, load, ask)
            except _LedError as led:
                lead, facts = led.lead, led.facts
            self._wait(lead)  # out here, as the error's traceback keeps the image
            if answer := lead.answer:
                return Outcome(
                    row,
                    Status.RECOGNIZED,
                    fields=answer.fields,
                    request_id=answer.request_id,
                    facts=facts,
                    reused_from=answer.image_key,
                    is_verdict=True,
                    answer_id=answer.answer_id or None,
                )

    def _lead(self, row: ImageRow, load: LoadImage, ask: Callable[[ImageRow, LoadImage], Outcome]) -> Outcome:
        lead: _Lead | None = None
        answer, failed = None, False

        def load_unless_answered(row: ImageRow) -> PermitRequest:
            nonlocal lead
            request = load(row)
            picture = request.facts.digest and (request.facts.digest, row.card_side)
            if not picture:
                self._tell_of_unseen()
            # Asked before each try of a call: meanwhile there may be another image at the same place.
            if not lead or lead.picture != picture:
                self._end(lead)
                lead = None
                lead = self._begin(picture, request.facts) if picture else None
            return request

        try:
            outcome = ask(row, load_unless_answered)
            failed = outcome.status is Status.FAILED
            if outcome.status is Status.RECOGNIZED:
                answer = Answer(row.image_key, outcome.fields, outcome.request_id, outcome.answer_id or "")
            return outcome
        finally:
            self._end(lead, answer, failed=failed)

    def _tell_of_unseen(self) -> None:
        with self._state:
            if self._has_told:
                return
            self._has_told = True
        _log.warning(
            "Copies of some images are not known, as the API fetches these itself, so each is called for."
            " ImageAccess(fetch_images=True) has the worker fetch them"
        )

    def _begin(self, picture: Picture, facts: ImageFacts) -> _Lead:
        """Lead, unless the picture's answer is there or under way.

        :raises _LedError: when it is.
        """
        lead = _Lead(picture)
        with self._state:
            lead.answer = self._answers.get(picture)
            if lead.answer:
                lead.ended.set()
                raise _LedError(lead, facts)
            # An image that has failed may yet be answered, but its rows do not wait for one another.
            if not self._failed.get(picture):
                first = self._leads.setdefault(picture, lead)
                if first is not lead:
                    raise _LedError(first, facts)
        try:
            found = self._known.find(*picture) if self._known else None
        except BaseException:
            self._end(lead)
            raise
        if found:
            self._end(lead, found)
            raise _LedError(lead, facts)
        return lead

    def _end(self, lead: _Lead | None, answer: Answer | None = None, *, failed: bool = False) -> None:
        if not lead:
            return
        lead.answer = answer
        with self._state:
            if answer:
                self._answers.put(lead.picture, answer)
            elif failed:
                self._failed.put(lead.picture, True)
            if self._leads.get(lead.picture) is lead:
                del self._leads[lead.picture]
        lead.ended.set()

    def _wait(self, lead: _Lead) -> None:
        with self._state:
            self._waiting += 1
        try:
            while not lead.ended.wait(_LOOK_SECONDS):
                raise_if_stopped(self._stop)
        finally:
            with self._state:
                self._waiting -= 1


class _Lead:
    """The row that a picture is called for; ``answer`` is there, if at all, once it has ended."""

    def __init__(self, picture: Picture) -> None:
        self.picture = picture
        self.answer: Answer | None = None
        self.ended = threading.Event()


class _LedError(Exception):
    """Another row is called for that has the same picture, or was."""

    def __init__(self, lead: _Lead, facts: ImageFacts) -> None:
        super().__init__()
        self.lead, self.facts = lead, facts


class _Latest(Generic[T]):
    """Remembers what was used or put in last.

    :param most: pictures that are remembered.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._by_picture: OrderedDict[Picture, T] = OrderedDict()

    def get(self, picture: Picture) -> T | None:
        if picture in self._by_picture:
            self._by_picture.move_to_end(picture)
        return self._by_picture.get(picture)

    def put(self, picture: Picture, value: T) -> None:
        self._by_picture[picture] = value
        self._by_picture.move_to_end(picture)
        if len(self._by_picture) > self._most:
            self._by_picture.popitem(last=False)

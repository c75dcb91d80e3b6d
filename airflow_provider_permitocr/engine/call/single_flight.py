"""Single flight: of images that are the same, one is called for, and the others take its answer."""

from __future__ import annotations

import logging
import threading
from collections import OrderedDict
from typing import TYPE_CHECKING, Final, Generic, TypeAlias, TypeVar

from airflow_provider_permitocr.engine.models import Answer, ImageFacts, ImageRow, Left, Outcome
from airflow_provider_permitocr.permit.api import CardSide
from airflow_provider_permitocr.permit.status import Status

if TYPE_CHECKING:
    from airflow_provider_permitocr.engine.ledger.ports import Answers

_log = logging.getLogger(__name__)
T = TypeVar("T")
#: Digest and side: images that agree in both get the same answer.
Picture: TypeAlias = "tuple[str, CardSide]"

#: More than the calls in flight, whose answers reach the ledger within a second; while it is unreachable,
#: no calls are sent.
_KEPT: Final = 512
#: Without a ledger to look them up. An answer takes about 2 KB, one with a portrait several times ten KB.
_KEPT_WITHOUT_LEDGER: Final = 5_000
#: Rows that wait for the answer of another need no call, so others must be under way instead; as
#: many as there are threads for. Where the list itself holds the images, they are in memory all the while.
_MOST_WAITING: Final = 128
_LOOK_SECONDS: Final = 0.25


class Flight:
    """One picture on its way to an answer; rows with the same picture wait for the row that leads it.

    :param picture: None if no other row can have it, or it is unknown.
    """

    def __init__(self, picture: Picture | None = None) -> None:
        self.picture = picture
        #: The answer, if any; set once the flight has landed.
        self.answer: Answer | None = None
        self.has_landed = False


class SingleFlight:
    """The flights of a run, shared by many threads.

    The first row of a picture leads: it looks in the ledger, or else calls. Rows of the same picture that
    come meanwhile release their image and wait for its answer. Only an answer with fields is shared. If the
    leader gives up for now, the next row leads; if the image itself failed, each row calls for itself,
    because waiting would gain nothing.

    Answers are kept until they are certainly in the ledger; without a ledger, the last few thousand.

    :param stop: once set, waiting rows give up.
    :param answers: those that the ledger already has; None without a ledger.
    :param is_on: False: each row makes its own call.
    """

    def __init__(self, stop: threading.Event, *, answers: Answers | None, is_on: bool = True) -> None:
        self._stop, self._known, self._is_on = stop, answers, is_on
        self._state = threading.Condition()
        self._has_warned = False
        kept = _KEPT if answers else _KEPT_WITHOUT_LEDGER
        self._answers: _Latest[Answer] = _Latest(kept)
        self._failed: _Latest[bool] = _Latest(kept)
        self._flights: dict[Picture, Flight] = {}
        self._waiting = 0

    @property
    def rows_waiting(self) -> int:
        """How many rows wait for another's answer, as far as other rows should be in progress instead."""
        return min(self._waiting, _MOST_WAITING)

    def board(self, row: ImageRow, facts: ImageFacts, led: Flight) -> tuple[Flight, Flight]:
        """Find the flight of a row's picture.

        :param led: the flight that this row has led so far; its image may have changed meanwhile.
        :return: the flight that this row leads, and the one that it is on: the same, unless another row is
            called for that has the same picture, or was.
        """
        if not self._is_on or row.is_redone:
            return led, led
        picture = (facts.digest, row.card_side) if facts.digest else None
        if picture is None:
            self._warn_of_unseen()
        if picture == led.picture:
            return led, led
        self.land(led)
        own = Flight(picture)
        joined = own if picture is None else self._joined(own, picture)
        return (own, own) if joined is own and not own.has_landed else (Flight(), joined)

    def _joined(self, own: Flight, picture: Picture) -> Flight:
        with self._state:
            if answer := self._answers.get(picture):
                own.answer, own.has_landed = answer, True
                return own
            # An image that has failed may yet be answered, but its rows do not wait for one another.
            if not self._failed.get(picture):
                first = self._flights.setdefault(picture, own)
                if first is not own:
                    return first
        try:
            found = self._known.find(*picture) if self._known else None
        except BaseException:
            self.land(own)
            raise
        if found:
            self.land(own, answer=found)
        return own

    def land(self, flight: Flight, *, answer: Answer | None = None, has_failed: bool = False) -> None:
        """End a flight, and let those go on that wait for it.

        :param answer: the answer for them to reuse.
        :param has_failed: the image itself has.
        """
        if flight.picture is None or flight.has_landed:
            return
        with self._state:
            flight.answer, flight.has_landed = answer, True
            if answer:
                self._answers.put(flight.picture, answer)
            elif has_failed:
                self._failed.put(flight.picture, True)
            if self._flights.get(flight.picture) is flight:
                del self._flights[flight.picture]
            self._state.notify_all()

    def land_with(self, flight: Flight, outcome: Outcome | Left | None) -> None:
        """End the flight of a row that has its outcome; None if it ended with an error."""
        if not isinstance(outcome, Outcome) or outcome.status is not Status.RECOGNIZED:
            has_failed = isinstance(outcome, Outcome) and outcome.status is Status.FAILED
            self.land(flight, has_failed=has_failed)
            return
        answer = Answer(outcome.row.image_key, outcome.fields, outcome.request_id, outcome.answer_id or "")
        self.land(flight, answer=answer)

    def wait(self, flight: Flight) -> None:
        """Wait until another row's flight has landed, or the run was asked to stop."""
        with self._state:
            self._waiting += 1
            while not flight.has_landed and not self._stop.is_set():
                self._state.wait(_LOOK_SECONDS)
            self._waiting -= 1

    def _warn_of_unseen(self) -> None:
        with self._state:
            if self._has_warned:
                return
            self._has_warned = True
        _log.warning(
            "Copies of some images cannot be found, because the API fetches these images; each one is a call."
            " ImageAccess(fetch_images=True) lets the worker fetch them"
        )


class _Latest(Generic[T]):
    """Keeps the most recently used or added entries.

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

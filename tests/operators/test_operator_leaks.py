"""A job that meets failures of every kind, watched by all who could keep what they see of it."""

from __future__ import annotations

import json
import signal
import threading
import time
from base64 import b64decode, b64encode
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import sqlalchemy as sa
from airflow.providers.standard.operators import hitl
from airflow.sdk import BaseOperator
from airflow.sdk.exceptions import AirflowTaskTimeout
from airflow.sdk.execution_time.timeout import timeout
from cryptography.fernet import Fernet

from airflow_provider_permitocr import (
    Batch,
    Budget,
    CallRetry,
    ImageAccess,
    ImageQuery,
    Ledger,
    MainlandPermitOcrOperator,
    Privacy,
    ResultFile,
    ResultTable,
)
from airflow_provider_permitocr.emulator.options import DEFAULT_SECRET_ID, DEFAULT_SECRET_KEY, KeyPair
from airflow_provider_permitocr.emulator.running import RunningEmulator
from airflow_provider_permitocr.emulator.specimens import Specimen
from airflow_provider_permitocr.engine.call import retries
from airflow_provider_permitocr.engine.run import drain
from airflow_provider_permitocr.operators import permit_review
from airflow_provider_permitocr.permit.answers import KeptAnswer
from airflow_provider_permitocr.permit.api import ACTION
from airflow_provider_permitocr.permit.quality.examination import Examination
from airflow_provider_permitocr.permit.quality.flags import Flag
from airflow_provider_permitocr.sql.targets.result_target import SqlResultTarget
from airflow_provider_permitocr.tencent.signing import Signer
from labs.ground.servers.postgres import EmbeddedPostgres
from tests.support.collected import Collected, collecting
from tests.support.private_values import PrivateValues

OTHER_PASSWORD = "other-secret-word-7Tq"
PROXY_PASSWORD = "proxy-secret-word"
HMAC_KEY = "hmac-secret-word-of-pseudonyms"
FERNET_KEY = Fernet.generate_key().decode()
TOKEN = "token-secret-word-9f3kXz"
SIGNED = "q-sign-algorithm=sha1&q-signature=0f1e2d3c4b5a69788796a5b4c3d2e1f0deadbeef"
#: Tables whose values are there to be read.
OF_VALUES = ("permit_images", "permits", "permit_ocr_answers", "permit_ocr_reviews")
#: Numbers of calls, as the emulator counts them.
SOME_FAULTS: list[dict[str, Any]] = [
    {"match": {"calls": ["2"]}, "effect": {"error": "RequestLimitExceeded", "message": "too fast"}},
    {"match": {"calls": ["4"]}, "effect": {"error": "InternalError", "message": "again"}},
    {"match": {"calls": ["6"]}, "effect": {"error": "FailedOperation.UnknownCode", "message": "who knows"}},
    {"match": {"calls": ["8"]}, "effect": {"http_status": 502}},
    {"match": {"calls": ["9"]}, "effect": {"body": "truncated"}},
    {"match": {"calls": ["10"]}, "effect": {"body": "malformed"}},
    {"match": {"calls": ["11"]}, "effect": {"drop": True, "after_work": True}},
    {"match": {"calls": ["13"]}, "effect": {"error": "FailedOperation.OcrFailed", "message": "no text"}},
    {
        "match": {"calls": ["14"]},
        "effect": {
            "error": "FailedOperation.DownLoadError",
            "message": f"cannot fetch https://lake.example/a.jpg?{SIGNED}",
        },
    },
]


@dataclass
class Job:
    """What a case sets up and runs."""

    collected: Collected
    private: PrivateValues
    warehouse: sa.Engine
    image_list: Callable[..., list[Specimen]]
    new_operator: Callable[..., MainlandPermitOcrOperator]
    start: Callable[..., RunningEmulator]
    connect: Callable[..., None]
    set_connection: Callable[..., None]
    folder: Path
    monkeypatch: pytest.MonkeyPatch
    error: BaseException | None = None
    summary: dict[str, Any] = field(default_factory=dict)

    def emulator(self, rules: list[dict[str, Any]] | None = None, **options: Any) -> RunningEmulator:
        """Connect an emulator that fails as rules say; options that are fields of the connection go there."""
        file = self.folder / "faults.json"
        for rule in rules or []:
            rule["match"].setdefault("action", ACTION)
        file.write_text(json.dumps({"rules": rules or []}))
        fields = {name: options.pop(name) for name in ("login", "password", "extra") if name in options}
        emulator = self.start(faults=file, **options)
        self.connect(emulator, **fields)
        return emulator

    def images(self, count: int, further: list[dict[str, Any]] | None = None) -> None:
        """List so many fronts, which the emulator knows, and further rows."""
        for specimen in self.image_list(count, further or []):
            self.private.add_specimen(specimen)

    def sql(self, *statements: str) -> None:
        """Change the warehouse."""
        with self.warehouse.begin() as connection:
            for statement in statements:
                connection.exec_driver_sql(statement.replace("%", "%%"))

    def operator(self, **arguments: Any) -> MainlandPermitOcrOperator:
        """Make an operator that gives up soon."""
        defaults: dict[str, Any] = {
            "call_retry": CallRetry(attempts=2, base_seconds=0.01),
            "batch": Batch(patience_seconds=0.5),
            "journal": str(self.folder / "journals" / "of" / "this"),
            "ledger": Ledger("permit_ocr", conn_id="warehouse"),
        }
        return self.new_operator(**(defaults | arguments))

    def run(self, task: MainlandPermitOcrOperator | None = None, **arguments: Any) -> None:
        """Run a task as Airflow does, and keep what Airflow keeps of it."""
        task = task or self.operator(**arguments)
        instance = SimpleNamespace(
            dag_id="permits",
            task_id="recognize",
            map_index=-1,
            try_number=1,
            xcom_push=lambda **pushed: self.collected.add("xcom", pushed),
        )
        context: Any = {"run_id": "run-1", "ti": instance, "params": {}}
        try:
            task.render_template_fields(context)
            self.summary = task.execute(context)
            self.collected.add("xcom", json.dumps(self.summary))
        except BaseException as error:  # noqa: BLE001  what it is, a case says
            self.error = error
            self.collected.error(error)
        self.collected.add("rendered fields", rendered_fields(task))


def rendered_fields(task: BaseOperator) -> str:
    from airflow.sdk.execution_time.task_runner import _serialize_rendered_fields

    return json.dumps(_serialize_rendered_fields(task), default=str, ensure_ascii=False)


@pytest.fixture
def kept_ledgers() -> None:
    """Databases are empty: what runs do as they make the ledger is looked at as well."""


@pytest.fixture
def job(
    request: pytest.FixtureRequest,
    warehouse: sa.Engine,
    postgres: EmbeddedPostgres,
    set_connection: Callable[..., None],
    clean_environment: pytest.MonkeyPatch,
    impatient: None,
    tmp_path: Path,
) -> Iterator[Job]:
    monkeypatch = clean_environment
    monkeypatch.setattr(drain, "_PATIENCE_SECONDS", 1)
    monkeypatch.setattr(retries, "_ACCOUNT_WAITS", (0.0, 0.05))
    monkeypatch.setattr(retries, "_UNREACHABLE_WAITS", (0.05, 0.05))
    temporary = tmp_path / "temporary"
    temporary.mkdir(mode=0o700)
    monkeypatch.setattr("tempfile.tempdir", str(temporary))
    set_connection("permitocr_hmac", conn_type="generic", password=HMAC_KEY)
    set_connection("permitocr_fernet", conn_type="generic", password=FERNET_KEY)
    private = PrivateValues()
    for kind, secret in (
        ("secret id", DEFAULT_SECRET_ID),
        ("secret key", DEFAULT_SECRET_KEY),
        ("token", TOKEN),
        ("password of a database", postgres.password),
        ("password of another store", OTHER_PASSWORD),
        ("password of a proxy", PROXY_PASSWORD),
        ("key of pseudonyms", HMAC_KEY),
        ("key of tokens", FERNET_KEY),
        ("signed query", SIGNED.partition("&")[2]),
    ):
        private.add(kind, secret)
    journals = tmp_path / "journals"
    with collecting(temporary, journals) as collected:
        yield Job(
            collected,
            private,
            warehouse,
            image_list=request.getfixturevalue("image_list"),
            new_operator=request.getfixturevalue("operator"),
            start=request.getfixturevalue("start_label_emulator"),
            connect=request.getfixturevalue("connect_emulator"),
            set_connection=set_connection,
            folder=tmp_path,
            monkeypatch=monkeypatch,
        )


def an_ordinary_run(job: Job) -> None:
    job.emulator()
    job.images(3)
    job.run(portraits="column")
    assert job.summary["calls"] == 3
    with job.warehouse.connect() as connection:
        portraits = connection.execute(sa.text("SELECT profile FROM permits")).scalars().all()
    for portrait in portraits:
        job.private.add_image(b64decode(portrait))


def signed_urls_that_the_api_is_given(job: Job) -> None:
    job.emulator()
    job.images(1, [{"image_id": "signed", "image": f"http://127.0.0.1:9/a.jpg?{SIGNED}"}])
    job.run(images=ImageAccess(fetch_hosts=("127.0.0.1",)))
    assert any("Download" in code or "DownLoad" in code for code in job.summary["error_codes"])


def a_run_under_a_policy(job: Job) -> None:
    job.emulator()
    job.images(3)
    job.run(privacy=Privacy(number="hmac", name="encrypt", birthday="year"))
    assert job.summary["calls"] == 3


def a_query_with_parameters(job: Job) -> None:
    job.emulator()
    job.images(2)
    number = "H99351674"
    job.private.add("number", number)
    query = ImageQuery(
        "SELECT * FROM permit_images WHERE image_id <> :number",
        conn_id="warehouse",
        key="image_id",
        image="image",
        parameters={"number": number},
    )
    job.run(source=query, list="permits")
    assert job.summary["calls"] == 2


def calls_that_fail_in_every_way(job: Job) -> None:
    job.emulator(SOME_FAULTS)
    job.images(18)
    job.run(call_retry=CallRetry(attempts=1))
    assert job.error is None
    assert len(job.summary["error_codes"]) >= 7


def images_that_cannot_be_sent(job: Job) -> None:
    job.emulator()
    job.images(1)
    whole = (job.folder / "0.jpg").read_bytes()
    values = {
        "base64": b64encode(whole).decode(),
        "data": f"data:image/jpeg;base64,{b64encode(whole).decode()}",
        "cut base64": b64encode(whole[:-2000]).decode(),
        "broken base64": b64encode(whole).decode()[:-7] + "!",
        "signed, refused": f"http://10.1.2.3/a.jpg?{SIGNED}",
        "signed, gone": f"http://127.0.0.1:9/a.jpg?{SIGNED}",
        "user": f"http://me:{PROXY_PASSWORD}@127.0.0.1/a.jpg",
        "store": f"s3://warehouse@bucket/a.jpg?{SIGNED}",
        "scheme": f"gopher://host/a.jpg?{SIGNED}",
        "path": "/nowhere/a.jpg",
        "text": "H0000000000 is no image",
        "nothing": None,
    }
    for name, content in {
        "cut.jpg": whole[:-2000],
        "gif.gif": b"GIF89a" + whole[:5000],
        "page.html": b"<html>" + b64encode(whole[:3000]),
        "broken.heic": b"\x00\x00\x00\x18ftypheic\x00\x00\x00\x00mif1heic" + whole[:5000],
        "broken.png": b"\x89PNG\r\n\x1a\n" + whole[:5000],
    }.items():
        (job.folder / name).write_bytes(content)
        values[name] = str(job.folder / name)
    job.images(0, [{"image_id": name, "image": value} for name, value in values.items()])
    job.run(images=ImageAccess(fetch_images=True, fetch_hosts=("127.0.0.1", "10.1.2.3")))
    assert job.summary["listed"] == len(values) + 1
    assert len(job.summary["error_codes"]) >= 5


def wrong_keys(job: Job) -> None:
    job.emulator(login="AKIDsomebody", password=TOKEN)
    job.private.add("secret id", "AKIDsomebody")
    job.images(2)
    job.run()
    assert "AuthFailure" in str(job.error)


def temporary_keys_and_an_account_in_arrears(job: Job) -> None:
    pair = KeyPair("AKIDtemporary", "temporary-secret-key", token=TOKEN)
    job.private.add("secret key", pair.secret_key)
    job.private.add("secret id", pair.secret_id)
    arrears = {"match": {"calls": ["2-99"]}, "effect": {"error": "FailedOperation.ArrearsError"}}
    keys = {"login": pair.secret_id, "password": pair.secret_key, "extra": {"token": TOKEN}}
    job.emulator([arrears], keys=(pair,), **keys)
    job.images(4)
    job.run()
    assert "ArrearsError" in str(job.error)


def a_role_that_sts_refuses(job: Job) -> None:
    refused = {"action": "AssumeRole", "calls": ["1-99"]}
    role = {"role_arn": "qcs::cam::uin/100000000001:roleName/nobody"}
    job.emulator([{"match": refused, "effect": {"error": "AuthFailure.UnauthorizedOperation"}}], extra=role)
    job.images(2)
    job.run()
    assert job.error is not None


def an_api_that_cannot_be_reached(job: Job) -> None:
    emulator = job.emulator()
    job.connect(SimpleNamespace(endpoint="127.0.0.1:9"))
    job.images(2)
    job.run()
    assert "reach" in str(job.error)
    assert emulator.stats()["calls"] == 0


def a_service_that_refuses_calls_for_their_rate(job: Job) -> None:
    limit = {"match": {"calls": ["2-999"]}, "effect": {"error": "RequestLimitExceeded", "retry_after": 1}}
    job.emulator([limit])
    job.images(4)
    job.run(call_retry=CallRetry(max_throttled_seconds=0.2))
    assert "rate limit has held this run" in str(job.error)


def a_cap_that_is_reached(job: Job) -> None:
    job.emulator()
    job.images(4)
    job.run(budget=Budget(max_calls=2, on_exhausted="fail"))
    assert "cap" in str(job.error)


def a_table_that_refuses_some_rows(job: Job) -> None:
    job.emulator()
    job.images(6)
    SqlResultTarget(job.warehouse, ResultTable("permits", conn_id="warehouse")).prepare()
    job.sql(
        "ALTER TABLE permits ADD CHECK (birthday_raw <> '1900.01.01' AND english_name NOT LIKE 'W%')",
        "CREATE UNIQUE INDEX ON permits (sex)",
    )
    job.run()
    assert job.error is None
    assert job.summary["refused"] >= 4


def a_table_whose_column_is_narrowed_midway(job: Job) -> None:
    emulator = job.emulator()
    job.images(5)
    narrow = "ALTER TABLE permits ALTER COLUMN number TYPE varchar(4)"
    with meanwhile(emulator, 1, lambda: job.sql(narrow)):
        job.run(batch=Batch(patience_seconds=0.5, seconds=60))
    assert job.summary["refused"] == 5


def a_table_that_refuses_all_rows(job: Job) -> None:
    job.emulator()
    job.images(22)
    SqlResultTarget(job.warehouse, ResultTable("permits", conn_id="warehouse")).prepare()
    job.sql("ALTER TABLE permits ADD CHECK (name IS NULL AND status = 'none')")
    job.run()
    assert "refuses all rows" in str(job.error)


def a_ledger_that_refuses_answers(job: Job) -> None:
    job.emulator()
    job.images(1)
    job.run(privacy="pseudonymous")
    job.sql("ALTER TABLE permit_ocr_answers ADD CHECK (false) NOT VALID")
    job.images(0, [{"image_id": "again", "image": str(job.folder / "0.jpg")}])
    job.run(privacy="pseudonymous")
    assert list((job.folder / "journals").rglob("*.jsonl"))


def a_ledger_that_is_gone_midway(job: Job) -> None:
    emulator = job.emulator()
    job.images(20)
    with meanwhile(emulator, 4, lambda: job.sql("ALTER TABLE permit_ocr_calls RENAME TO elsewhere")):
        job.run(max_per_second=40)
    assert "ledger" in str(job.error)


def a_database_that_goes_down_midway(job: Job) -> None:
    emulator = job.emulator()
    job.images(20)
    name = job.warehouse.url.database
    server = sa.create_engine(job.warehouse.url.set(database="postgres"), isolation_level="AUTOCOMMIT")

    def admit(allowed: bool) -> None:
        with server.connect() as connection:
            connection.exec_driver_sql(f"ALTER DATABASE {name} ALLOW_CONNECTIONS {allowed}")
            if not allowed:
                ended = (
                    f"SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = '{name}'"
                )
                connection.exec_driver_sql(ended)

    try:
        with meanwhile(emulator, 4, lambda: admit(False)):
            job.run(max_per_second=40, privacy="pseudonymous")
    finally:
        admit(True)
        server.dispose()
    assert "ledger" in str(job.error)


def a_database_that_does_not_answer(job: Job) -> None:
    job.emulator()
    job.images(1)
    job.set_connection(
        "warehouse", conn_type="postgres", host="127.0.0.1", port=9, login="a", password=OTHER_PASSWORD
    )
    job.run()
    assert job.error is not None


def a_store_that_is_down(job: Job) -> None:
    job.emulator()
    job.images(2, [{"image_id": "stored", "image": "s3://store@bucket/a.jpg"}])
    extra = {"endpoint_url": "http://127.0.0.1:9", "config_kwargs": {"retries": {"max_attempts": 1}}}
    keys = {"login": "store-id", "password": OTHER_PASSWORD}
    job.set_connection("store", conn_type="aws", **keys, extra=extra)
    file = ResultFile("s3://store@bucket/permits.csv")
    job.run(target=[ResultTable("permits", conn_id="warehouse"), file], list="permits")
    assert job.error is not None


def a_task_that_is_killed(job: Job) -> None:
    emulator = job.emulator()
    job.images(20)
    task = job.operator(max_per_second=40)
    with meanwhile(emulator, 3, task.on_kill):
        job.run(task)
    assert "stopped early" in str(job.error)


def a_task_that_runs_out_of_time(job: Job) -> None:
    emulator = job.emulator()
    job.images(20)

    def ring() -> None:
        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGALRM)

    with timeout(60, "out of time"), meanwhile(emulator, 4, ring):  # type: ignore[no-untyped-call]
        job.run(max_per_second=20)
    assert isinstance(job.error, AirflowTaskTimeout)


def reviews_that_are_recorded_refused_and_lost(job: Job) -> None:
    job.emulator()
    job.images(3)
    job.monkeypatch.setattr(Examination, "flags", lambda *_, **__: (Flag.NUMBER_FORMAT,))
    job.run()
    for module in (hitl, permit_review):
        job.monkeypatch.setattr(
            module, "upsert_hitl_detail", lambda **asked: job.collected.add("hitl", asked)
        )
    instance = SimpleNamespace(
        id="ti", dag_id="permits", task_id="review", map_index=-1, try_number=1, get_task_states=dict
    )
    context: Any = {"run_id": "run-1", "ti": instance, "task_instance": instance, "params": {}}
    typed = ("H91919191", "诸葛孔明")
    for value in typed:
        job.private.add("correction", value)
    user = {"id": "7", "name": "li"}
    for broken in ("", "ALTER TABLE permit_ocr_reviews ADD CHECK (corrections NOT LIKE '%H9%') NOT VALID"):
        task = permit_review.PermitReviewOperator(task_id="review", recognition=job.operator(), retries=0)
        with pytest.raises(BaseException):  # noqa: B017, PT011  that it waits
            task.execute(context)
        entries = dict(
            zip(task.params, [f"name={typed[1]}", f"{typed[0]}", f"birthday={typed[0]}"], strict=False)
        )
        if broken:
            job.sql(broken)
            entries = dict.fromkeys(task.params, f"number={typed[0]}")
        event = {"chosen_options": ["Record"], "params_input": entries, "responded_by_user": user}
        try:
            job.collected.add("xcom", json.dumps(task.execute_complete(context, event)))
        except BaseException as error:  # noqa: BLE001  what it is, is looked at below
            job.error = error
            job.collected.error(error)
        job.collected.add("rendered fields", rendered_fields(task))
    assert "reviews" in str(job.error)


def a_fault_of_our_own(where: type[Any], name: str) -> Callable[[Job], None]:
    def case(job: Job) -> None:
        job.emulator()
        job.images(3)
        real = getattr(where, name)
        calls: list[int] = []

        def broken(*args: Any, **named: Any) -> Any:
            calls.append(1)
            if len(calls) < 2:
                return real(*args, **named)
            result = real(*args, **named)
            raise RuntimeError(f"a fault of our own, {type(result).__name__}")

        job.monkeypatch.setattr(where, name, broken)
        job.run()
        assert "a fault of our own" in str(job.error)

    case.__name__ = f"a_fault_of_our_own_in_{name}"
    return case


class meanwhile:  # noqa: N801
    """Does something once an emulator has had so many calls; what it raises is raised."""

    def __init__(self, emulator: RunningEmulator, calls: int, do: Callable[[], object]) -> None:
        self._emulator, self._calls, self._do = emulator, calls, do
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._act)

    def _act(self) -> None:
        until = time.monotonic() + 30
        while self._emulator.stats()["calls"] < self._calls and time.monotonic() < until:
            time.sleep(0.005)
        try:
            self._do()
        except BaseException as error:  # noqa: BLE001
            self._error = error

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *_: object) -> None:
        self._thread.join()
        if self._error:
            raise self._error


CASES = [
    an_ordinary_run,
    signed_urls_that_the_api_is_given,
    a_run_under_a_policy,
    a_query_with_parameters,
    calls_that_fail_in_every_way,
    images_that_cannot_be_sent,
    wrong_keys,
    temporary_keys_and_an_account_in_arrears,
    a_role_that_sts_refuses,
    an_api_that_cannot_be_reached,
    a_service_that_refuses_calls_for_their_rate,
    a_cap_that_is_reached,
    a_table_that_refuses_some_rows,
    a_table_that_refuses_all_rows,
    a_table_whose_column_is_narrowed_midway,
    a_ledger_that_refuses_answers,
    a_ledger_that_is_gone_midway,
    a_database_that_goes_down_midway,
    a_database_that_does_not_answer,
    a_store_that_is_down,
    a_task_that_is_killed,
    a_task_that_runs_out_of_time,
    reviews_that_are_recorded_refused_and_lost,
    a_fault_of_our_own(KeptAnswer, "record"),
    a_fault_of_our_own(Signer, "headers"),
    a_fault_of_our_own(SqlResultTarget, "write"),
]


QUICK = (
    an_ordinary_run,
    a_table_that_refuses_some_rows,
)


@pytest.mark.whole_runs
@pytest.mark.parametrize(
    "case",
    [pytest.param(case, marks=() if case in QUICK else pytest.mark.slow) for case in CASES],
    ids=[case.__name__.replace("_", " ") for case in CASES],
)
def test_nothing_private_is_left_anywhere_but_in_the_result(
    job: Job, case: Callable[[Job], None], capfd: pytest.CaptureFixture[str]
) -> None:
    case(job)
    collected = job.collected
    for output in capfd.readouterr():
        collected.add("output", output)
    if case is not a_database_that_does_not_answer:
        collected.tables(job.warehouse, but=OF_VALUES)
        assert collected.characters["tables"] > 1_000
    collected.end()
    # Of a database that does not answer little is said, of all others a million characters.
    assert collected.characters["log"] > 10_000
    assert collected.characters["output"] > 1_000
    assert collected.characters["rendered fields"] > 300
    assert collected.characters["xcom"] > 200 if job.error is None else collected.characters["errors"] > 100
    # A journal has answers, as the ledger does.
    assert collected.leaks(job.private, but=("journals",)) == []

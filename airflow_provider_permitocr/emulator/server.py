"""The HTTP server: each call from its arrival to its line in the journal."""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final

import aiohttp
from aiohttp import web

from airflow_provider_permitocr.emulator import tls
from airflow_provider_permitocr.emulator.billing import is_billed
from airflow_provider_permitocr.emulator.engines import Engine
from airflow_provider_permitocr.emulator.errors import ApiError
from airflow_provider_permitocr.emulator.faults.answers import Answer, error_fields, send
from airflow_provider_permitocr.emulator.faults.faults import Effect, Faults
from airflow_provider_permitocr.emulator.faults.faults_file import load_rules
from airflow_provider_permitocr.emulator.faults.latency import Sampler
from airflow_provider_permitocr.emulator.gateway import sts
from airflow_provider_permitocr.emulator.gateway.gateway import MAX_LINE_BYTES, Clock, Gateway, read_body
from airflow_provider_permitocr.emulator.gateway.keys import KeyRing
from airflow_provider_permitocr.emulator.gateway.messages import message_for
from airflow_provider_permitocr.emulator.gateway.metadata import ROLES_PATH, Metadata
from airflow_provider_permitocr.emulator.gateway.operations import Body, Operation, Operations, Prepared
from airflow_provider_permitocr.emulator.gateway.quota import Quota
from airflow_provider_permitocr.emulator.journal import CallRecord, Journal
from airflow_provider_permitocr.emulator.options import EmulatorOptions
from airflow_provider_permitocr.emulator.recognition import Recognition
from airflow_provider_permitocr.permit import api

Sleep = Callable[[float], Awaitable[None]]

#: Time for calls still under way when the emulator is stopped.
SHUTDOWN_SECONDS: Final = 2.0


@dataclass(frozen=True)
class Service:
    """Serve calls, and return how many there were.

    :param clock: Unix time in seconds.
    :param sleep: waits for the latency and for faults' delays.
    """

    site: str
    gateway: Gateway
    quota: Quota
    faults: Faults
    latency: Sampler
    journal: Journal
    clock: Clock
    sleep: Sleep

    async def call(self, http: web.Request) -> web.StreamResponse:
        """Serve one call of the API."""
        try:
            body = await read_body(http)
        except ConnectionError:  # the caller disconnected while sending: there is no call to answer
            return web.Response()
        record = CallRecord(self.clock(), "", str(uuid.uuid4()), self.site)
        record.trace_id = http.headers.get("X-TC-TraceId")
        started = time.monotonic()
        try:
            fields, effect = await self._answer(http, body, record)
        except asyncio.CancelledError:  # the emulator is being stopped
            record.code = None
            raise
        finally:
            record.seconds = round(time.monotonic() - started, 4)
            self.journal.add(record)
        return await send(http, Answer(record.request_id, fields, self.clock()), effect)

    async def _answer(
        self, http: web.Request, body: Body | None, record: CallRecord
    ) -> tuple[dict[str, Any], Effect | None]:
        """Return the fields to answer and the fault to apply, recording the outcome in `record`."""
        started = time.monotonic()
        latency = 0.0
        effect: Effect | None = None
        try:
            operation, request = await self.gateway.admit(http, body, record)
            latency = self.latency()
            prepared = await operation.prepare(request)
            record.image = prepared.image
            effect = self._strike(record)
            fields = await _work(prepared, effect, record)
            record.code = "OK"
        except ApiError as error:
            record.code = error.code
            language = http.headers.get("X-TC-Language", api.SITES[self.site].language)
            fields = error_fields(error.code, message_for(error, language))
        record.billed = _is_billed(record)
        if effect and effect.hides_answer:
            record.code = None
        wait = max(0.0, latency - (time.monotonic() - started)) + (effect.delay if effect else 0.0)
        if wait:
            await self.sleep(wait)
        return fields, effect

    async def stats(self, http: web.Request) -> web.Response:  # noqa: ARG002 - aiohttp passes it
        """Answer the sums over all calls."""
        return web.json_response(self.sums())

    def sums(self) -> dict[str, Any]:
        """Return the sums over all calls."""
        return {
            **self.journal.sums(),
            "most_in_one_second": self.quota.most_in_one_second(api.ACTION),
            "per_second": self.quota.per_second(api.ACTION),
        }

    def _strike(self, record: CallRecord) -> Effect | None:
        rule = self.faults.strike(record.action, record.image)
        if rule is None:
            return None
        record.fault = rule.name
        return rule.effect


async def _work(prepared: Prepared, effect: Effect | None, record: CallRecord) -> dict[str, Any]:
    fields: dict[str, Any] = {}
    if effect is None or not effect.skips_work:
        fields = await prepared.work()
        record.answered = True
    if effect and effect.error:
        raise ApiError(effect.error, effect.message or "The emulator is configured to return this error.")
    return fields


def _is_billed(record: CallRecord) -> bool:
    """Return what the real service would, before a fault hides the answer."""
    has_fields = record.answered and record.code == "OK"
    return record.action == api.ACTION and is_billed(record.code, has_fields=has_fields)


async def _health(http: web.Request) -> web.Response:  # noqa: ARG001 - aiohttp passes it
    return web.json_response({"status": "ok"})


@asynccontextmanager
async def serve(
    options: EmulatorOptions, engine: Engine, clock: Clock = time.time, sleep: Sleep = asyncio.sleep
) -> AsyncIterator[tuple[Service, str]]:
    """Run an emulator in the current event loop inside the ``with`` block.

    :return: the service, and its URL.
    :raises ValueError: if the faults file is wrong.
    :raises OSError: if the address is taken, or a file cannot be written.
    """
    async with AsyncExitStack() as stack:
        rules = load_rules(options.faults) if options.faults else ()
        journal = stack.enter_context(Journal(options.journal))
        tls_context = tls.server_context(options.tls, options.host) if options.tls else None
        session = await stack.enter_async_context(aiohttp.ClientSession())
        threads = ThreadPoolExecutor(options.engine_threads, thread_name_prefix="engine")
        stack.callback(threads.shutdown, wait=False, cancel_futures=True)
        keys = KeyRing(options.keys)
        quota = Quota({api.ACTION: options.quota})
        recognition = Recognition(engine, threads, session, options.site, options.download_seconds)
        service = Service(
            options.site,
            Gateway(keys, quota, _operations(recognition, keys), _unsigned(options, keys)),
            quota,
            Faults(rules),
            options.latency.sampler(options.seed),
            journal,
            clock,
            sleep,
        )
        runner = web.AppRunner(
            _application(service, _metadata(options, keys, clock)),
            access_log=None,
            shutdown_timeout=SHUTDOWN_SECONDS,
            max_line_size=MAX_LINE_BYTES,
        )
        stack.push_async_callback(runner.cleanup)
        await runner.setup()
        await web.TCPSite(runner, options.host, options.port, ssl_context=tls_context).start()
        port = runner.addresses[0][1]
        host = f"[{options.host}]" if ":" in options.host else options.host
        yield service, f"{'https' if tls_context else 'http'}://{host}:{port}"


def _operations(recognition: Recognition, keys: KeyRing) -> Operations:
    identity, role = sts.GetCallerIdentity(), sts.AssumeRole(keys)
    return {
        api.SERVICE: {api.VERSION: {api.ACTION: recognition}},
        sts.SERVICE: {sts.VERSION: {"GetCallerIdentity": identity, "AssumeRole": role}},
    }


def _unsigned(options: EmulatorOptions, keys: KeyRing) -> Mapping[str, Mapping[str, Operation]]:
    action = sts.AssumeRoleWithWebIdentity(keys, options.web_identities)
    return {sts.VERSION: {"AssumeRoleWithWebIdentity": action}}


def _metadata(options: EmulatorOptions, keys: KeyRing, clock: Clock) -> Metadata:
    seconds = options.instance_role_seconds
    return Metadata(keys, options.instance_role, options.keys[0].account, seconds, clock)


def _application(service: Service, metadata: Metadata) -> web.Application:
    application = web.Application()
    application.router.add_get(ROLES_PATH, metadata.roles)
    application.router.add_get(ROLES_PATH + "{role}", metadata.credentials)
    application.router.add_get("/_emulator/health", _health)
    application.router.add_get("/_emulator/stats", service.stats)
    application.router.add_route("*", "/", service.call)
    return application

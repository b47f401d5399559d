"""Starts the service by hand: `make graph`, or `python -m tests.services.graph --help`."""

from __future__ import annotations

import argparse
import asyncio
import json
import signal
import sys
import tempfile
from contextlib import nullcontext
from pathlib import Path
from typing import Any

from aiohttp import web

from .app import App
from .config import Config, Faults
from .identity import Identity
from .seeding import Seed, fill
from .service import Service
from .tls import Files, certificates


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.services.graph", description=__doc__)
    parser.add_argument("--port", type=int, default=8080, help="http; 0 for any free one (default 8080)")
    parser.add_argument("--secure-port", type=int, default=8443, help="https; 0 for any free one (default 8443)")
    parser.add_argument(
        "--state", type=Path, help="folder that keeps the tenant; without it, it begins empty each time"
    )
    parser.add_argument("--users", type=int, default=0, help="accounts to begin an empty tenant with")
    parser.add_argument("--groups", type=int, default=0, help="groups to begin it with; each account is in three")
    parser.add_argument("--synced", type=float, default=0.0, help="fraction of them synchronised from Active Directory")
    parser.add_argument("--domain", action="append", help="verified domain; the first is the default one")
    parser.add_argument("--delay", type=float, default=0.0, help="seconds before each answer (0.05 is life-like)")
    parser.add_argument("--visible", type=float, default=0.0, help="seconds until a new object is seen")
    parser.add_argument("--quota", default="off", help="S, M, L, auto, off, or units/writes/seconds (default off)")
    parser.add_argument(
        "--faults", type=float, default=0.0, help="fraction of requests answered 503 or 504, or dropped"
    )
    parser.add_argument("--openapi", help="Microsoft's OpenAPI description, to check every request by")
    parser.add_argument("--json", help=argparse.SUPPRESS)
    return parser.parse_args()


def _config(given: argparse.Namespace) -> tuple[Config, int, int]:
    if given.json:
        data: dict[str, Any] = json.loads(given.json)
        ports = data.pop("port"), data.pop("secure_port")
        return Config.of(data), *ports
    config = Config(
        delay_seconds=given.delay,
        visible_seconds=given.visible,
        quota=given.quota,
        openapi=given.openapi,
        faults=Faults(unavailable=given.faults / 2, dropped=given.faults / 2),
    )
    if given.domain:
        config.domains = [name.lower() for name in given.domain]
    return config, given.port, given.secure_port


async def _serve(app: App, files: Files, port: int, secure_port: int, told: Any) -> None:
    runner = web.ServerRunner(web.Server(app.handle, access_log=None))
    await runner.setup()
    sites = [
        web.TCPSite(runner, "127.0.0.1", port),
        web.TCPSite(runner, "127.0.0.1", secure_port, ssl_context=files.context()),
    ]
    for site in sites:
        await site.start()
    told(*(address[1] for address in runner.addresses))
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    await stop.wait()
    await runner.cleanup()
    app.service.directory.close()


def _tell(config: Config, files: Files, port: int, secure_port: int) -> None:
    text = f"""A local Graph is running; Ctrl-C ends it.

  Graph            https://localhost:{secure_port}/v1.0   (or http://127.0.0.1:{port}/v1.0)
  sign-in          https://localhost:{secure_port}
  tenant           {config.tenant_id}
  client id        {config.client_id}
  client secret    {config.secret}
  certificate      {files.client}
  domains          {", ".join(config.domains)}
  products         {", ".join(f"{name} ({seats})" for name, seats in config.skus.items())}
  to be trusted    {files.authority}

Programs that use azure-identity trust it by:
  export REQUESTS_CA_BUNDLE={files.authority} SSL_CERT_FILE={files.authority}
"""
    print(text, flush=True)  # noqa: T201 - it is run by hand


def main() -> int:
    """Runs until it is interrupted."""
    given = _arguments()
    config, port, secure_port = _config(given)
    with nullcontext(given.state) if given.state else tempfile.TemporaryDirectory(prefix="graph-") as folder:
        state = Path(folder)
        state.mkdir(parents=True, exist_ok=True)
        files = certificates(state)
        service = Service(config, state)
        if not service.directory.items and (given.users or given.groups):
            fill(service, Seed(users=given.users, groups=given.groups, groups_each=3, synced=given.synced))
            service.directory.commit()

        def told(*ports: int) -> None:
            if given.json:
                line = json.dumps({"port": ports[0], "secure_port": ports[1]})
                print(line, flush=True)  # noqa: T201 - read by who started it
            else:
                _tell(config, files, *ports)

        app = App(service, Identity(config, files.client_certificate()))
        asyncio.run(_serve(app, files, port, secure_port, told))
    return 0


if __name__ == "__main__":
    sys.exit(main())

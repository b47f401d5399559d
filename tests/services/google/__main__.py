"""Starts the service by hand: `make google`, or `python -m tests.services.google --help`."""

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
from .config import GOOGLES_QUOTAS, Config, Faults
from .identity import Identity, write_key_file
from .seeding import Seed, fill
from .service import Service


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.services.google", description=__doc__)
    parser.add_argument("--port", type=int, default=8090, help="http; 0 for any free one (default 8090)")
    parser.add_argument(
        "--state", type=Path, help="folder that keeps the account; without it, it begins empty each time"
    )
    parser.add_argument("--users", type=int, default=0, help="users to begin an empty account with")
    parser.add_argument("--groups", type=int, default=0, help="groups to begin it with; each user is in three")
    parser.add_argument("--unit", action="append", default=[], help="organisational unit to begin it with: /Skole/Elev")
    parser.add_argument("--domain", action="append", help="verified domain; the first is the primary one")
    parser.add_argument("--delay", type=float, default=0.0, help="seconds before each answer (0.05 is life-like)")
    parser.add_argument("--visible", type=float, default=0.0, help="seconds until a new user or group is seen")
    parser.add_argument("--creation", type=float, default=0.0, help="seconds until a new user can be changed")
    parser.add_argument("--quotas", action="store_true", help="what Google allows a second and a minute, and no more")
    parser.add_argument("--faults", type=float, default=0.0, help="fraction of requests answered 503, or dropped")
    parser.add_argument("--json", help=argparse.SUPPRESS)
    return parser.parse_args()


def _config(given: argparse.Namespace) -> tuple[Config, int]:
    if given.json:
        data: dict[str, Any] = json.loads(given.json)
        port = data.pop("port")
        return Config.of(data), port
    config = Config(
        delay_seconds=given.delay,
        visible_seconds=given.visible,
        creation_seconds=given.creation,
        faults=Faults(unavailable=given.faults / 2, dropped=given.faults / 2),
    )
    if given.quotas:
        config.change(GOOGLES_QUOTAS)
    if given.domain:
        config.domains = [name.lower() for name in given.domain]
        config.admin = f"admin@{config.domains[0]}"
    return config, given.port


async def _serve(app: App, port: int, told: Any) -> None:
    runner = web.ServerRunner(web.Server(app.handle, access_log=None))
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    told(runner.addresses[0][1])
    await stop.wait()
    await runner.cleanup()
    app.service.store.close()


def _tell(config: Config, key_file: Path, port: int) -> None:
    scopes = "\n".join(f"    {one}" for one in config.scopes)
    text = f"""A local Google Workspace is running; Ctrl-C ends it.

  endpoint         http://127.0.0.1:{port}
  key file         {key_file}
  administrator    {config.admin}
  customer         {config.customer_id}   (or my_customer)
  domains          {", ".join(config.domains)}
  products         {", ".join(f"{name}/{sku} ({seats})" for name, of in config.products.items() for sku, seats in of.items())}
  scopes delegated
{scopes}

A target of eadm-sync needs the endpoint, the key file and the administrator to act for; sign-in goes to
http://127.0.0.1:{port}/token by itself, which the key file says. google-api-python-client is pointed at it by
client_options={{"api_endpoint": "http://127.0.0.1:{port}/"}}, for groupssettings with groups/v1/groups/ behind it, and by
BatchHttpRequest(batch_uri="http://127.0.0.1:{port}/batch").
"""  # noqa: E501 - products on one line
    print(text, flush=True)  # noqa: T201 - it is run by hand


def main() -> int:
    """Runs until it is interrupted."""
    given = _arguments()
    config, wanted = _config(given)
    with nullcontext(given.state) if given.state else tempfile.TemporaryDirectory(prefix="google-") as folder:
        state = Path(folder)
        state.mkdir(parents=True, exist_ok=True)
        service = Service(config, state)
        if len(service.store.rows["user"]) == 1 and (given.users or given.groups or given.unit):
            fill(service, Seed(users=given.users, groups=given.groups, groups_each=3, units=tuple(given.unit)))
            service.store.commit()

        def told(port: int) -> None:
            key_file = write_key_file(config, state, port)
            if given.json:
                print(json.dumps({"port": port}), flush=True)  # noqa: T201 - read by who started it
            else:
                _tell(config, key_file, port)

        asyncio.run(_serve(App(service, Identity(service, state)), wanted, told))
    return 0


if __name__ == "__main__":
    sys.exit(main())

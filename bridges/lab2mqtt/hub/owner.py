"""The hub's owner: made once, with a token that later starts use again."""

from collections.abc import Callable
import contextlib
from dataclasses import asdict, dataclass
import json
from pathlib import Path
import secrets
from urllib.parse import urlencode

from lab2mqtt.hub.api import Api, Refusal

_FILE = ".lab2mqtt-owner.json"
_USERNAME = "lab"


@dataclass(frozen=True)
class Owner:
    """Who may do everything in the hub."""

    username: str
    password: str
    token: str


def log_in(api: Api, folder: Path, wait: Callable[[str, Callable[[], bool]], None]) -> Owner:
    """Give ``api`` the owner's token; the first start of a folder creates the owner.

    Args:
        api: A Home Assistant that is starting.
        folder: Its configuration folder.
        wait: Tries a test until it is true.

    Raises:
        HubError: The folder has an owner of somebody else's making.
    """
    file = folder / _FILE
    if file.exists():
        owner = Owner(**json.loads(file.read_text()))
        api.token = owner.token
        return owner
    password = secrets.token_urlsafe(9)
    client = f"{api.url}/"
    code = ""

    def create() -> bool:
        nonlocal code
        reply = api.post(
            "/api/onboarding/users",
            {
                "name": "Lab",
                "username": _USERNAME,
                "password": password,
                "client_id": client,
                "language": "en",
            },
        )
        code = reply["auth_code"]
        return True

    wait("take its owner", create)
    grant = urlencode({"grant_type": "authorization_code", "code": code, "client_id": client})
    answer = api.request("POST", "/auth/token", grant.encode(), "application/x-www-form-urlencoded")
    api.token = json.loads(answer)["access_token"]
    owner = Owner(
        _USERNAME, password, api.ws("auth/long_lived_access_token", client_name="lab2mqtt", lifespan=3650)
    )
    api.disconnect()
    api.token = owner.token
    _tidy(api)
    file.touch(0o600)
    file.write_text(json.dumps(asdict(owner)))
    return owner


def _tidy(api: Api) -> None:
    """Leave out what greets the owner of a new home: its rooms, and a banner."""
    for area in api.ws("config/area_registry/list"):  # a kitchen, a bedroom, …
        api.ws("config/area_registry/delete", area_id=area["area_id"])
    version = api.get("/api/config")["version"]
    with contextlib.suppress(Refusal):  # of releases that have no banner
        api.ws("frontend/set_system_data", key="core", value={"onboarded_version": version})

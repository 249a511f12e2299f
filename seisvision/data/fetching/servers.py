"""Data centres by name or address."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from seisvision.errors import ConfigurationError, did_you_mean
from seisvision.secrets_kept import redact

SERVICES = ("dataselect", "station", "event")
SETTINGS = ("name", "base", *SERVICES)


@dataclass(frozen=True)
class Server:
    """A data centre; ``dataselect``, ``station`` and ``event`` are the addresses of its services up to the version."""

    name: str
    dataselect: str
    station: str
    event: str

    def url(self, service: str) -> str:
        """Address that queries of ``service`` go to."""
        return f"{getattr(self, service)}/query"


def read_server(given: str | Mapping[str, Any], where: str) -> Server:
    """Find the services of a data centre.

    Args:
        given: a name that obspy knows (``EARTHSCOPE``, ``GEOFON``, ...), an address such as
            ``http://127.0.0.1:8080``, or a mapping of ``base`` (name or address), ``name`` and the addresses of single
            services (``station: http://127.0.0.1:8081/fdsnws/station/1``) that are elsewhere.
        where: name of the setting, for messages.

    Raises:
        ConfigurationError: an unknown name or setting, or no http address.
    """
    settings: dict[str, Any] = {"base": given} if isinstance(given, str) else dict(given)
    for key in settings:
        if key not in SETTINGS:
            raise ConfigurationError(f"{where} has no setting '{key}'. {did_you_mean(str(key), list(SETTINGS))}")
    if "base" not in settings and any(service not in settings for service in SERVICES):
        raise ConfigurationError(f"{where} needs 'base', the name or address of a data centre, or all three services")
    base = _base(str(settings["base"]), where) if "base" in settings else ""
    urls = {service: str(settings.get(service, f"{base}/fdsnws/{service}/1")).rstrip("/") for service in SERVICES}
    for service, url in urls.items():
        _check_address(url, f"{where}.{service}")
    name = settings.get("name") or (given if isinstance(given, str) else settings.get("base", urls["dataselect"]))
    return Server(str(name), **urls)


def _base(text: str, where: str) -> str:
    if "//" in text:
        _check_address(text, where)
        return text.rstrip("/").removesuffix("/fdsnws")
    from obspy.clients.fdsn.header import URL_MAPPINGS

    if text.upper() not in URL_MAPPINGS:
        raise ConfigurationError(
            f"{where}='{text}' is no data centre known by name. {did_you_mean(text.upper(), list(URL_MAPPINGS))} "
            "Or give an address such as http://127.0.0.1:8080"
        )
    return URL_MAPPINGS[text.upper()].rstrip("/")


def _check_address(url: str, where: str) -> None:
    parts = urlsplit(url)
    if "@" in parts.netloc:
        raise ConfigurationError(
            f"{where}='{redact(url)}' names a user, but recipes and requests are kept with their addresses. Give the "
            "address alone; only what is open to everybody is fetched"
        )
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.query:
        raise ConfigurationError(f"{where}='{url}' must be an address such as https://service.example.org")

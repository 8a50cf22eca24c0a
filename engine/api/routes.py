"""Every route and every middleware that the web server carries beside the pages."""

from __future__ import annotations

from starlette.middleware import Middleware

from engine.api import artifacts, health, reports, uploads, viewer
from engine.api.headers import SafeHeaders
from engine.api.origin import OriginGuard
from engine.api.small import SmallFiles
from engine.api.sweeping import Sweeping

ROUTES = [*health.ROUTES, *uploads.ROUTES, *artifacts.ROUTES, *reports.ROUTES, *viewer.ROUTES]
MIDDLEWARE = [
    Middleware(SafeHeaders),
    Middleware(OriginGuard),
    Middleware(SmallFiles),
    Middleware(Sweeping),
]

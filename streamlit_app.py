"""The entry: Streamlit runs it as a script, uvicorn imports it as ``streamlit_app:app``."""

from __future__ import annotations

from pages.components import login

login.identify()
if __name__ == "__main__":
    from pages.components.shell import router

    router()
else:
    import streamlit as st
    from starlette.middleware import Middleware

    from engine.api.identity import Identity
    from engine.api.routes import MIDDLEWARE, ROUTES

    known = Middleware(Identity, claims=login.claims_of)
    app = st.App(__file__, routes=ROUTES, middleware=[*MIDDLEWARE, known])

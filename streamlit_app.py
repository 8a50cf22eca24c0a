"""The entry: Streamlit runs it as a script, uvicorn imports it as ``streamlit_app:app``."""

from __future__ import annotations

if __name__ == "__main__":
    from pages.components.shell import router

    router()
else:
    import streamlit as st

    from engine.api.routes import MIDDLEWARE, ROUTES

    app = st.App(__file__, routes=ROUTES, middleware=MIDDLEWARE)

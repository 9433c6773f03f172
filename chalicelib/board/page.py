"""The Board's page: page.html with the styles and scripts in it, so that it is a single file."""

from __future__ import annotations

from base64 import b64encode
from functools import cache
from hashlib import sha256
from pathlib import Path

FOLDER = Path(__file__).parent
STYLES = ("style.css",)
SCRIPTS = ("clock.js", "elements.js", "cards.js", "layout.js", "graph.js", "page.js")


@cache
def build_page() -> tuple[str, str]:
    """Return the page as HTML and its Content-Security-Policy.

    The policy lets a browser use the styles and scripts of the page, and nothing else.
    """
    styles = [(FOLDER / name).read_text("utf-8") for name in STYLES]
    scripts = [(FOLDER / name).read_text("utf-8") for name in SCRIPTS]
    html = (FOLDER / "page.html").read_text("utf-8")
    html = html.replace("<!-- styles -->", "\n".join(f"<style>{text}</style>" for text in styles))
    html = html.replace(
        "<!-- scripts -->", "\n".join(f"<script>{text}</script>" for text in scripts)
    )
    policy = {
        "default-src": "'none'",
        "style-src": " ".join(map(_hash_source, styles)),
        "script-src": " ".join(map(_hash_source, scripts)),
        "connect-src": "'self'",
        "img-src": "data:",
        "base-uri": "'none'",
        "form-action": "'none'",
        "frame-ancestors": "'none'",
    }
    return html, "; ".join(f"{name} {value}" for name, value in policy.items())


def _hash_source(text: str) -> str:
    """Return the hash of an inline style or script as a Content-Security-Policy has it."""
    return f"'sha256-{b64encode(sha256(text.encode()).digest()).decode()}'"

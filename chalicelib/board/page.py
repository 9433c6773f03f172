"""The page: page.html with the style and the scripts in it, so that it comes in one piece and needs
nothing else.
"""

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
    """The page as HTML, and the Content-Security-Policy that lets run what is in it and nothing
    else.
    """
    styles, scripts = (
        [(FOLDER / name).read_text("utf-8") for name in names] for names in (STYLES, SCRIPTS)
    )
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
    return f"'sha256-{b64encode(sha256(text.encode()).digest()).decode()}'"

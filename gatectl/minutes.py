"""Numbers of minutes on a command line; what is none is told what would be right."""

from __future__ import annotations

from typing import Any

import click


class Within(click.IntRange):
    """A whole number of minutes from `least` to `most`."""

    def __init__(self, least: int, most: int) -> None:
        super().__init__(least, most)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        try:
            return super().convert(value, param, ctx)
        except click.BadParameter:
            self.fail(
                f"{str(value)!r} is not a whole number of minutes, {self.min} to {self.max}.",
                param,
                ctx,
            )


class OneOf(click.Choice[str]):
    """One of these numbers of minutes, as text; a shell completes them."""

    def __init__(self, numbers: tuple[int, ...]) -> None:
        super().__init__([str(number) for number in numbers])

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        try:
            return super().convert(value, param, ctx)
        except click.BadParameter:
            *others, last = self.choices
            self.fail(
                f"{str(value)!r} is not a whole number of minutes that divides 60: "
                f"{', '.join(others)} or {last}.",
                param,
                ctx,
            )

"""Tests of `gatectl graph`: which pipelines wait for which."""

from __future__ import annotations

import re
from collections.abc import Collection
from io import StringIO
from typing import Any

import pydot
import pytest
from rich.console import Console

from chalicelib.account.cycles import DEADLOCK_REMEDY
from chalicelib.account.pipeline import Pipeline
from chalicelib.account.states import PipelineStatus, StatusWord
from gatectl.graph.drawing import build_graph, describe_state, draw_tree
from tests.support.ask import ask
from tests.support.cli import Said, run
from tests.support.declared import gated, ungated, view
from tests.support.executions import NOON
from tests.support.held import hold_k8s, take_out_gate
from tests.support.scene import Scene

DNS = "arn:aws:codepipeline:us-east-1:123456789012:dns"
ODD = "k8s.prod@eu-1_a"


@pytest.fixture
def account(scene: Scene) -> Scene:
    """apps waits for k8s, infra and network, and k8s waits for infra. infra is running, so k8s is
    held. network has failed.
    """
    scene.pipeline("infra", seconds=1200)
    scene.pipeline("network", outcome="Failed", seconds=5)
    scene.pipeline("unconcerned")
    scene.gated("k8s", ask("infra"))
    stage = {"pipeline": "infra", "stage": "Deploy", "require": "succeeded"}
    scene.gated("apps", ask("k8s", stage, "network", pipeline="apps", hold="wait"))
    for name in ("infra", "network", "k8s"):
        scene.start(name)
    scene.wait(minutes=1)
    return scene


def read_tree(output: Said) -> list[str]:
    return [line.rstrip() for line in output.out.splitlines()]


def draw(*pipelines: Pipeline, other_names: Collection[str] = ()) -> list[str]:
    """Return the lines of the tree without states, then a line for each remark. `other_names`:
    pipelines that are not in the graph.
    """
    account = view(*pipelines)
    graph = build_graph(account, "eu-central-1", {*account.pipelines, *other_names}, None)
    console = Console(width=1000, file=StringIO())
    with console.capture() as capture:
        console.print(draw_tree(graph))
    return [line for line in map(str.rstrip, capture.get().splitlines()) if line]


class TestTree:
    def test_what_must_finish_first_is_on_top_and_each_has_its_state(self, account: Scene) -> None:
        output = run("graph")
        assert read_tree(output) == [
            "infra  running since 12:00 UTC",
            "├── apps  has not run  (its stage Deploy; must succeed; hold: wait)",
            "└── k8s  waiting since 12:00 UTC",
            "    └── apps  (hold: wait; see above)",
            "network  failed at 12:00 UTC",
            "└── apps  (hold: wait; see above)",
        ]

    def test_without_states_only_structures_are_read(
        self, account: Scene, operations: list[str]
    ) -> None:
        assert read_tree(run("graph", "--no-state"))[:2] == [
            "infra",
            "├── apps  (its stage Deploy; must succeed; hold: wait)",
        ]
        assert set(operations) == {"ListPipelines", "GetPipeline"}

    @pytest.mark.parametrize(
        ("word", "description"),
        [
            ("waits", "waiting since 12:00 UTC"),
            ("asks", "waiting for a person since 12:00 UTC"),
            ("runs", "running since 12:00 UTC"),
            ("succeeded", "succeeded at 12:00 UTC"),
            ("failed", "failed at 12:00 UTC"),
            ("stopped", "stopped at 12:00 UTC"),
            ("other", "ended without a result at 12:00 UTC"),
            ("idle", "has not run"),
            ("unseen", "not checked: access denied"),
        ],
    )
    def test_each_state_has_a_description(self, word: StatusWord, description: str) -> None:
        since = None if word in {"idle", "unseen"} else NOON
        assert describe_state(PipelineStatus(word, since), NOON) == description

    def test_a_wait_whose_start_is_unknown(self) -> None:
        assert describe_state(PipelineStatus("waits"), NOON) == "waiting"

    def test_a_pipeline_whose_gate_was_removed_is_left_out_even_while_it_is_held(
        self, scene: Scene
    ) -> None:
        scene.gated("web", ask(pipeline="web"))
        hold_k8s(scene, minutes=0)
        take_out_gate(scene)
        assert read_tree(run("graph")) == ["infra  running since 12:00 UTC", "└── web  has not run"]

    def test_pipelines_in_a_cycle_are_shown_once_and_the_cycle_is_reported(self) -> None:
        *tree, cycle = draw(gated("a", ask("b", pipeline="a")), gated("b", ask("a", pipeline="b")))
        assert tree == ["a", "└── b", "    └── a  (see above)"]
        assert cycle.startswith("Cycle: a waits for b, which waits for a. They take turns")
        assert DEADLOCK_REMEDY not in cycle

    def test_a_deadlock_is_reported_with_its_remedy(self) -> None:
        *_, cycle = draw(
            gated("a", ask("b", pipeline="a", require="succeeded")),
            gated("b", ask("a", pipeline="b", require="succeeded")),
        )
        assert "none of them can continue until all have succeeded once" in cycle
        assert cycle.endswith(DEADLOCK_REMEDY)

    def test_an_unknown_upstream_is_reported(self) -> None:
        head, k8s, remark = draw(gated("k8s", ask("netwrok")), other_names=["network"])
        assert (head, k8s) == ("netwrok  does not exist", "└── k8s")
        assert remark.startswith("Unknown: ")
        assert "did you mean network? k8s waits for it." in remark

    def test_an_unknown_stage_of_an_upstream_is_reported(self, scene: Scene) -> None:
        """In the words of the gate's own message."""
        scene.pipeline("infra")
        _, message = scene.refusal(ask({"pipeline": "infra", "stage": "Deplyo"}))
        output = run("graph", "--no-state")
        assert read_tree(output)[:2] == [
            "infra",
            "└── k8s  (its stage Deplyo, which does not exist)",
        ]
        assert f"Unknown: {message} k8s waits for it." in output.words
        (edge,) = run("graph", "--json").json()["edges"]
        assert edge["problem"] == f"{message} k8s waits for it."

    def test_an_upstream_in_another_region_is_not_unknown(self) -> None:
        assert draw(gated("k8s", ask(DNS))) == [
            "dns (us-east-1)  elsewhere: not checked",
            "└── k8s",
        ]

    def test_a_gate_that_refuses_is_reported_with_the_reason(self) -> None:
        tree, refusal = draw(gated("k8s", {"depend_on": ["infra"]}))
        assert tree == "k8s"
        assert refusal.startswith("Refused: the gate of k8s fails immediately.")

    @pytest.mark.parametrize(
        ("parameters", "note"),
        [
            ({"observe": True}, "observe only"),
            ({"hold": "retry"}, "hold: retry"),
            ({"parked": "pass"}, "ignored while parked"),
        ],
    )
    def test_settings_that_are_not_the_default_are_noted(
        self, parameters: dict[str, Any], note: str
    ) -> None:
        assert draw(ungated("infra"), gated("k8s", ask(**parameters)))[1] == f"└── k8s  ({note})"

    def test_no_name_is_wrapped_if_the_output_is_not_a_terminal(self, scene: Scene) -> None:
        long, longer = "x" * 95, "y" * 100
        scene.pipeline(longer)
        scene.gated(long, ask(longer, pipeline=long, hold="wait"))
        tree = f"{longer}\n└── {long}  (hold: wait)\n"
        assert run("graph", "--no-state", columns=None).out == tree
        assert len(run("graph", "--no-state", columns=80).out.splitlines()) > 2

    def test_an_account_without_gates(self, scene: Scene) -> None:
        scene.pipeline("infra")
        assert run("graph").out.startswith("No pipeline in eu-central-1 has a gate.")


class TestForOtherPrograms:
    @pytest.fixture
    def odd(self, account: Scene) -> Scene:
        """Names with every allowed character, one in another region, one unknown, and a cycle."""
        account.gated(ODD, ask(DNS, "infra", "9lives", pipeline=ODD))
        account.gated("end", ask("graph", pipeline="end"))
        account.gated("graph", ask("end", pipeline="graph"))
        return account

    @pytest.mark.filterwarnings(
        "ignore:.*deprecated:DeprecationWarning"
    )  # pydot's own use of pyparsing
    def test_graphviz_can_read_it(self, odd: Scene) -> None:
        read: Any
        (read,) = pydot.graph_from_dot_data(run("graph", "--format", "dot").out) or []
        nodes = {
            node.get_name().strip('"'): node
            for node in read.get_nodes()
            if node.get_name() != "node"
        }
        assert set(nodes) == {"infra", "network", "k8s", "apps", ODD, DNS, "9lives", "end", "graph"}
        assert nodes["infra"].get_label() == '"infra\\nrunning since 12:00 UTC"'
        edges = {
            (edge.get_source().strip('"'), edge.get_destination().strip('"')): edge.get_label()
            for edge in read.get_edges()
        }
        assert edges == {
            ("infra", "k8s"): None,
            ("k8s", "apps"): '"hold: wait"',
            ("infra", "apps"): '"its stage Deploy; must succeed; hold: wait"',
            ("network", "apps"): '"hold: wait"',
            (DNS, ODD): None,
            ("infra", ODD): None,
            ("9lives", ODD): None,
            ("graph", "end"): None,
            ("end", "graph"): None,
        }

    def test_mermaid_is_a_flowchart_of_quoted_names(self, odd: Scene) -> None:
        """Every line has one of five forms, with names and notes only in quotes (guide:
        mermaid.js.org, Flowcharts).
        """
        lines = run("graph", "--format", "mermaid").out.splitlines()
        quoted = r'"[^"]+"'
        kinds = [
            rf"  p\d+\[{quoted}\]",
            rf"  p\d+ -->(\|{quoted}\|)? p\d+",
            r"  classDef [a-z]+ fill:#[0-9a-f]{6},color:#000",
            r"  class p\d+(,p\d+)* [a-z]+",
            r"  %% Cycle: .*",
        ]
        assert lines[0] == "flowchart TD"
        strange = [
            line for line in lines[1:] if not any(re.fullmatch(kind, line) for kind in kinds)
        ]
        assert strange == []
        ids = {label: id_ for id_, label in re.findall(r'  (p\d+)\["([^"<]+)', "\n".join(lines))}
        assert len(ids) == 9
        assert f"  {ids['infra']} --> {ids['k8s']}" in lines
        assert f"  {ids['dns (us-east-1)']} --> {ids[ODD]}" in lines
        assert f"  class {ids['9lives']} unknown" in lines

    @pytest.mark.parametrize("words", [("--json",), ("--format", "json")])
    def test_json(self, odd: Scene, words: tuple[str, ...]) -> None:
        graph = run("graph", *words).json()
        pipelines = {pipeline["id"]: pipeline for pipeline in graph["pipelines"]}
        infra, dns = pipelines["infra"], pipelines[DNS]
        assert infra["execution"] == odd.executions("infra")[0]["pipelineExecutionId"]
        assert (infra["where"], infra["gated"], infra["state"]) == ("here", False, "runs")
        assert infra["since"].startswith("2026-11-23T12:00")
        assert infra["link"].endswith("/pipelines/infra/view?region=eu-central-1")
        assert (dns["where"], dns["name"], dns["link"]) == ("elsewhere", "dns (us-east-1)", None)
        assert graph["unknown"] == ["9lives"]
        assert {
            "upstream": "infra",
            "dependent": "apps",
            "require": "succeeded",
            "stage": "Deploy",
            "parked": "wait",
            "hold": ["wait"],
            "problem": None,
        } in graph["edges"]
        (cycle,) = graph["circles"]
        assert (cycle["pipelines"], cycle["deadlock"]) == (["end", "graph", "end"], False)

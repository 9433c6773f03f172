"""`gatectl graph`: which pipelines wait for which."""

from __future__ import annotations

import re
from typing import Any

import pydot
import pytest

from gatectl.session import Place
from tests.support.ask import ask
from tests.support.cli import Said, run
from tests.support.scene import Scene

DNS = "arn:aws:codepipeline:us-east-1:123456789012:dns"
ODD = "k8s.prod@eu-1_a"


@pytest.fixture
def account(scene: Scene) -> Scene:
    """infra -> k8s -> apps, infra and network -> apps; network has failed, infra runs and holds
    k8s.
    """
    scene.pipeline("infra", seconds=1200)
    scene.pipeline("network", outcome="Failed", seconds=5)
    scene.pipeline("unconcerned")
    scene.gated("k8s", ask("infra"))
    scene.gated(
        "apps",
        ask(
            "k8s",
            {"pipeline": "infra", "stage": "Deploy", "require": "succeeded"},
            "network",
            pipeline="apps",
            hold="wait",
        ),
    )
    for name in ("infra", "network", "k8s"):
        scene.start(name)
    scene.wait(minutes=1)
    return scene


def tree(said: Said) -> list[str]:
    return [line.rstrip() for line in said.out.splitlines()]


class TestTree:
    def test_what_must_finish_first_stands_on_top_and_each_has_its_state(
        self, account: Scene
    ) -> None:
        said = run("graph")
        assert said.status == 0
        assert tree(said) == [
            "infra  runs since 12:00 UTC",
            "├── apps  has not run  (its stage Deploy; must succeed; waits in place)",
            "└── k8s  waits since 12:00 UTC",
            "    └── apps  (waits in place; see above)",
            "network  failed at 12:00 UTC",
            "└── apps  (waits in place; see above)",
        ]

    def test_without_states_only_structures_are_read(
        self, account: Scene, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        made: list[str] = []
        real = Place.client

        def watched(place: Place, service: str) -> Any:
            client = real(place, service)
            client.meta.events.register("before-call", lambda model, **_: made.append(model.name))
            return client

        monkeypatch.setattr(Place, "client", watched)
        said = run("graph", "--no-state")
        assert tree(said)[:2] == [
            "infra",
            "├── apps  (its stage Deploy; must succeed; waits in place)",
        ]
        assert set(made) == {"ListPipelines", "GetPipeline"}

    def test_how_each_kind_of_state_is_said(self, scene: Scene) -> None:
        scene.staged("approved", ("Approve", 0))
        scene.pipeline("closed")
        scene.codepipeline.disable_stage_transition(
            pipelineName="closed", stageName="Deploy", transitionType="Inbound", reason="x"
        )
        scene.pipeline("done", seconds=5)
        scene.pipeline("new")
        scene.pipeline("stopped")
        scene.gated("all", ask("approved", "closed", "done", "new", "stopped", pipeline="all"))
        for name in ("approved", "closed", "done", "stopped"):
            scene.start(name)
        (execution,) = scene.executions("stopped")
        scene.codepipeline.stop_pipeline_execution(
            pipelineName="stopped",
            pipelineExecutionId=execution["pipelineExecutionId"],
            abandon=True,
        )
        said = run("graph").out
        for line in (
            "approved  waits for a person since 12:00 UTC",
            "closed  waits for a person since 12:00 UTC",
            "done  succeeded at 12:00 UTC",
            "new  has not run",
            "stopped  was stopped at 12:00 UTC",
        ):
            assert f"{line}\n" in said

    def test_a_hold_that_nobody_needs_any_more_is_no_wait(self, account: Scene) -> None:
        declared: Any = account.codepipeline.get_pipeline(name="k8s")["pipeline"]
        declared["stages"][1]["actions"][0]["configuration"]["UserParameters"] = "network"
        account.codepipeline.update_pipeline(pipeline=declared)
        account.start("k8s")
        assert "k8s  runs since 12:01 UTC" in run("graph").out

    def test_one_whose_gate_was_taken_out_is_not_of_the_graph_even_while_it_is_held(
        self, scene: Scene
    ) -> None:
        scene.pipeline("infra", seconds=1200)
        scene.k8s()
        scene.gated("web", ask(pipeline="web"))
        scene.start("infra")
        scene.start("k8s")
        declared: Any = scene.codepipeline.get_pipeline(name="k8s")["pipeline"]
        declared["stages"].pop(1)
        scene.codepipeline.update_pipeline(pipeline=declared)
        assert tree(run("graph")) == ["infra  runs since 12:00 UTC", "└── web  has not run"]

    def test_pipelines_in_a_circle_are_shown_once_and_the_circle_is_told(
        self, scene: Scene
    ) -> None:
        scene.gated("a", ask("b", pipeline="a"))
        scene.gated("b", ask("a", pipeline="b"))
        said = run("graph", "--no-state")
        assert tree(said)[:3] == ["a", "└── b", "    └── a  (see above)"]
        assert "Circle: a waits for b, which waits for a. They take turns" in said.words

    def test_a_deadlock_is_told_with_what_would_end_it(self, scene: Scene) -> None:
        scene.gated("a", ask("b", pipeline="a", require="succeeded"))
        scene.gated("b", ask("a", pipeline="b", require="succeeded"))
        words = run("graph").words
        assert "after any failure, none can ever go on." in words
        assert "Take one of them out of its depends_on" in words

    def test_an_unknown_upstream_is_pointed_out(self, scene: Scene) -> None:
        scene.pipeline("network")
        scene.gated("k8s", ask("netwrok"))
        said = run("graph")
        assert tree(said)[0] == "netwrok  is not there"
        assert (
            "Unknown: There is no pipeline netwrok in eu-central-1; did you mean network? k8s "
            "waits for it." in said.words
        )

    def test_an_unknown_stage_of_an_upstream_is_pointed_out(self, scene: Scene) -> None:
        """In the gate's own words."""
        scene.pipeline("infra")
        _, message = scene.refusal(ask({"pipeline": "infra", "stage": "Deplyo"}))
        said = run("graph", "--no-state")
        assert tree(said)[:2] == ["infra", "└── k8s  (its stage Deplyo, which is not there)"]
        assert f"Unknown: {message} k8s waits for it." in said.words
        (edge,) = run("graph", "--json").json()["edges"]
        assert edge["problem"] == f"{message} k8s waits for it."

    def test_one_elsewhere_is_not_unknown(self, scene: Scene) -> None:
        scene.gated("k8s", ask(DNS))
        assert tree(run("graph"))[:2] == [
            "dns (us-east-1)  is elsewhere: not looked at",
            "└── k8s  has not run",
        ]

    def test_a_gate_that_refuses_is_told_with_the_reason(self, scene: Scene) -> None:
        scene.gated("k8s", {"depend_on": ["infra"]})
        said = run("graph")
        assert tree(said)[0] == "k8s  has not run"
        assert (
            "Refused: the gate of k8s fails at once. UserParameters has an unknown key "
            '"depend_on" (did you mean depends_on?)' in said.words
        )

    def test_no_name_is_folded_where_no_terminal_reads(self, scene: Scene) -> None:
        long, longer = "x" * 95, "y" * 100
        scene.pipeline(longer)
        scene.gated(long, ask(longer, pipeline=long, hold="wait"))
        assert (
            run("graph", "--no-state", columns=None).out
            == f"{longer}\n└── {long}  (waits in place)\n"
        )
        assert len(run("graph", "--no-state", columns=80).out.splitlines()) > 2

    def test_where_nothing_is_gated_it_says_so(self, scene: Scene) -> None:
        scene.pipeline("infra")
        assert (
            run("graph").out
            == "No pipeline in eu-central-1 has a gate. gatectl attach gives one to a pipeline.\n"
        )

    def test_one_that_only_observes(self, scene: Scene) -> None:
        scene.pipeline("infra")
        scene.gated("k8s", ask(observe=True))
        assert "k8s  has not run  (only observed)" in run("graph").out


class TestForOtherPrograms:
    @pytest.fixture
    def odd(self, account: Scene) -> Scene:
        """Names with all that a name may have, one elsewhere, one unknown and a circle."""
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
        assert nodes["infra"].get_label() == '"infra\\nruns since 12:00 UTC"'
        edges = {
            (edge.get_source().strip('"'), edge.get_destination().strip('"')): edge.get_label()
            for edge in read.get_edges()
        }
        assert edges == {
            ("infra", "k8s"): None,
            ("k8s", "apps"): '"waits in place"',
            ("infra", "apps"): '"its stage Deploy; must succeed; waits in place"',
            ("network", "apps"): '"waits in place"',
            (DNS, ODD): None,
            ("infra", ODD): None,
            ("9lives", ODD): None,
            ("graph", "end"): None,
            ("end", "graph"): None,
        }

    def test_mermaid_is_a_flowchart_of_quoted_names(self, odd: Scene) -> None:
        """Every line is one of five kinds, in which nothing but plain words stands outside quotes
        (guide: mermaid.js.org, Flowcharts).
        """
        lines = run("graph", "--format", "mermaid").out.splitlines()
        quoted = r'"[^"]+"'
        kinds = [
            rf"  p\d+\[{quoted}\]",
            rf"  p\d+ -->(\|{quoted}\|)? p\d+",
            r"  classDef [a-z]+ fill:#[0-9a-f]{6},color:#000",
            r"  class p\d+(,p\d+)* [a-z]+",
            r"  %% Circle: .*",
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
        told = run("graph", *words).json()
        pipelines = {one["id"]: one for one in told["pipelines"]}
        execution = odd.executions("infra")[0]["pipelineExecutionId"]
        assert {
            key: pipelines["infra"][key] for key in ("where", "gated", "state", "execution")
        } == {
            "where": "here",
            "gated": False,
            "state": "runs",
            "execution": execution,
        }
        assert pipelines["infra"]["since"].startswith("2026-11-23T12:00")
        assert pipelines["infra"]["link"].endswith("/pipelines/infra/view?region=eu-central-1")
        assert (pipelines[DNS]["where"], pipelines[DNS]["name"], pipelines[DNS]["link"]) == (
            "elsewhere",
            "dns (us-east-1)",
            None,
        )
        assert told["unknown"] == ["9lives"]
        assert {
            "upstream": "infra", "dependent": "apps", "require": "succeeded", "stage": "Deploy", "parked": "wait", "hold": ["wait"],
            "problem": None,
        } in told["edges"]  # fmt: skip
        (circle,) = told["circles"]
        assert (circle["pipelines"], circle["deadlock"]) == (["end", "graph", "end"], False)

// Who waits, and what somebody has to see to, as lists.
"use strict";

const WORDS = {
  waits: "Waits",
  asks: "Needs a person",
  runs: "Runs",
  succeeded: "Succeeded",
  failed: "Failed",
  stopped: "Stopped",
  other: "Ended without a result",
  idle: "Has not run",
  elsewhere: "Not seen from here",
  missing: "Not found",
};

/** "Runs for 4 min", "Failed 3 min ago" */
function standing({ state, since }) {
  const lasts = ["waits", "asks", "runs"].includes(state);
  return [WORDS[state], since ? " " : "", since && clock(lasts ? "for" : "ago", since)];
}

const upstreamsOf = (id, pipelines, edges) =>
  edges.filter((edge) => edge.to === id).map((edge) => ({ edge, upstream: pipelines.find((one) => one.id === edge.from) }));

function goesOn(wait, when) {
  if (wait.stays_in_progress) return `It goes on by itself ${when}, in the same execution.`;
  return wait.starts_over ? `It starts again by itself ${when}.` : `Its stage is retried by itself ${when}.`;
}

const joined = (names, one, several) => names.length && `${listed(names)} ${names.length === 1 ? one : several}`;

/** "when database has succeeded and network has ended, successful or not" */
function whenItGoesOn(upstreams) {
  const names = (must) => [...new Set(upstreams.filter(({ edge }) => edge.must_succeed === must).map(({ upstream }) => upstream.name))];
  const success = joined(names(true), "has succeeded", "have succeeded");
  const end = joined(names(false), "has ended", "have ended");
  if (!success) return "when that is over, successful or not";
  return end ? `when ${success} and ${end}, successful or not` : `when ${success}`;
}

/** What happens next, and what somebody has to do for it. */
function next({ wait, upstreams }) {
  if (wait.let_go_by) return `${wait.let_go_by} let it go: it goes on within seconds, whatever the others do.`;
  const holding = upstreams.filter(({ edge }) => edge.holds).map(({ upstream, edge }) => ({ ...upstream, ...edge }));
  const failed = holding.filter((one) => one.must_succeed && ["failed", "stopped", "other", "idle"].includes(one.state));
  const asking = holding.filter((one) => one.state === "asks");
  const todo = [
    failed.length && `Somebody has to bring ${listed(failed.map((one) => one.name))} to a success.`,
    asking.length && `Somebody has to let ${listed(asking.map((one) => one.name))} go on: an approval is open, or a transition disabled.`,
  ].filter(Boolean);
  return `${goesOn(wait, whenItGoesOn(upstreams))} ${todo.join(" ") || "There is nothing to do."}`;
}

/** One that waits, as a card. `upstreams`: those that its pipeline waits for, each with its edge; `open`: with what its gate says. */
function waitCard({ wait, upstreams, open }) {
  const { pipeline, execution, rule } = wait;
  const facts = [
    wait.next_check && ["Looks again", clock("in", wait.next_check)],
    wait.stays_in_progress && ["Looks again", "when CodePipeline asks"],
    wait.give_up && ["Gives up", clock("in", wait.give_up)],
  ].filter(Boolean);
  const links = [executionLink(execution, pipeline, "Execution "), rule && link("Rule", rule.link, `The rule that holds ${pipeline}`)];
  return el(
    "li",
    { class: "card" },
    el("h3", {}, icon("waits"), el("span", {}, link(pipeline, wait.link), ` waits for ${listed(wait.depends_on) || "others"}`)),
    wait.since && el("p", {}, el("span", { class: "big" }, clock("for", wait.since)), ` since ${utc(Date.parse(wait.since))}`),
    el("ul", { class: "causes" }, ...upstreams.map(cause)),
    el("p", { class: "next" }, next({ wait, upstreams })),
    el("dl", {}, ...facts.map(([name, value]) => el("div", {}, el("dt", {}, name), el("dd", {}, value)))),
    el(
      "details",
      { open },
      el("summary", {}, "What its gate says"),
      el(
        "p",
        { class: "reason" },
        wait.reason || `The console shows nothing of it. To go on now all the same: gatectl release ${pipeline}.`,
      ),
    ),
    el("p", { class: "links" }, ...links),
  );
}

const cause = ({ upstream, edge }) =>
  el(
    "li",
    { class: `is-${upstream.state}` },
    icon(upstream.state),
    el("span", {}, upstream.name, edge.stage ? `'s stage ${edge.stage}` : ""),
    el("span", { class: "state" }, ...standing(upstream)),
  );

// What somebody has to see to

/** @returns {{key: string, title: string, text: string, link: ?string}[]} */
function faults({ deadlocks, refusing, left_over: rules, not_looked_at: closed, pipelines, edges }) {
  const dependents = (id) => listed(edges.filter((edge) => edge.from === id).map((edge) => edge.to));
  return [
    ...refusing.map((gate) => ({
      key: `refuses ${gate.pipeline} ${gate.stage} ${gate.action}`,
      title: `${gate.pipeline}'s gate refuses what it is asked`,
      text: `${gate.problem} Until it is mended, ${gate.pipeline} fails in its stage ${gate.stage}, at ${gate.action}.`,
      link: gate.link,
    })),
    ...pipelines
      .filter((one) => one.state === "missing")
      .map((one) => ({
        key: `missing ${one.id}`,
        title: `There is no pipeline ${one.name} here`,
        text: `Who waits for it fails at the gate: ${dependents(one.id)}. Correct the name in depends_on; upper and lower case count.`,
        link: null,
      })),
    ...deadlocks.map((circle) => ({
      key: `deadlock ${circle.pipelines.join(" ")}`,
      title: `${listed(circle.pipelines)} ${circle.pipelines.length === 1 ? "waits for itself" : "can wait for each other for ever"}`,
      text: circle.text,
      link: null,
    })),
    ...rules.map((rule) => ({
      key: `rule ${rule.name}`,
      title: `The rule ${rule.name} holds nobody`,
      text: rule.has_target
        ? "It has the gate's name, and its target is not the gate's own. Whoever made it knows what for."
        : "It has no target: a gate was ended while it made it. No pipeline starts by it. gatectl doctor --mend removes it.",
      link: rule.link,
    })),
    ...(closed.length ? [notLookedAt(closed)] : []),
  ];
}

function notLookedAt(closed) {
  const names = closed.map((one) => one.name);
  const said = names.length > 5 ? `${names.slice(0, 5).join(", ")} and ${names.length - 5} more` : listed(names);
  return {
    key: `not looked at ${names.join(" ")}`,
    title: `Not looked at: ${said}`,
    text: `${[...new Set(closed.map((one) => one.why))].join("; ")}. Whether a gate waits there is not known here.`,
    link: null,
  };
}

const faultItem = (fault) =>
  el("li", {}, icon("fault"), el("div", {}, el("h3", {}, link(fault.title, fault.link)), el("p", {}, fault.text)));

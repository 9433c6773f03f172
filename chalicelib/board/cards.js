// Two lists: the executions that wait, and what needs somebody's attention.
"use strict";

/** The words of a pipeline's states. */
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

/** Return a pipeline's state and its clock: "Runs for 4 min", "Failed 3 min ago". */
function describeState({ state, since }) {
  const isGoingOn = ["waits", "asks", "runs"].includes(state);
  return [WORDS[state], since ? " " : "", since && makeClock(isGoingOn ? "for" : "ago", since)];
}

/** Return the upstreams of a pipeline, each with the edge between them. */
const findUpstreams = (id, pipelines, edges) =>
  edges
    .filter((edge) => edge.to === id)
    .map((edge) => ({ edge, upstream: pipelines.find((pipeline) => pipeline.id === edge.from) }));

/** Return how a pipeline goes on after its wait, and when. */
function describeContinuation(wait, when) {
  if (wait.stays_in_progress) return `It goes on by itself ${when}, in the same execution.`;
  if (wait.starts_over) return `It starts again by itself ${when}.`;
  return `Its stage is retried by itself ${when}.`;
}

const addVerb = (names, singular, plural) =>
  names.length && `${joinNames(names)} ${names.length === 1 ? singular : plural}`;

/** Return "when database has succeeded and network has ended, successful or not" or the like. */
function describeEndOfWait(upstreams) {
  const listNames = (mustSucceed) => {
    const matching = upstreams.filter(({ edge }) => edge.must_succeed === mustSucceed);
    return [...new Set(matching.map(({ upstream }) => upstream.name))];
  };
  const success = addVerb(listNames(true), "has succeeded", "have succeeded");
  const end = addVerb(listNames(false), "has ended", "have ended");
  if (!success) return "when that is over, successful or not";
  return end ? `when ${success} and ${end}, successful or not` : `when ${success}`;
}

/** Return what happens next, and what somebody has to do for that. */
function describeNext({ wait, upstreams }) {
  if (wait.let_go_by)
    return `${wait.let_go_by} let it go: it goes on within seconds, whatever the others do.`;
  const holding = upstreams.filter(({ edge }) => edge.holds);
  const listNames = (isListed) => holding.filter(isListed).map(({ upstream }) => upstream.name);
  const withoutSuccess = listNames(
    ({ edge, upstream }) =>
      edge.must_succeed && ["failed", "stopped", "other", "idle"].includes(upstream.state),
  );
  const asking = listNames(({ upstream }) => upstream.state === "asks");
  const tasks = [
    withoutSuccess.length && `Somebody has to bring ${joinNames(withoutSuccess)} to a success.`,
    asking.length &&
      `Somebody has to let ${joinNames(asking)} go on: ` +
        "an approval is open, or a transition disabled.",
  ].filter(Boolean);
  const continuation = describeContinuation(wait, describeEndOfWait(upstreams));
  return `${continuation} ${tasks.join(" ") || "There is nothing to do."}`;
}

/** Return the card of an execution that waits. `upstreams`: those of its pipeline, each with its
 * edge; `open`: whether the gate's message is unfolded. */
function makeWaitCard({ wait, upstreams, open }) {
  const { pipeline, execution, rule } = wait;
  const facts = [
    wait.next_check && ["Looks again", makeClock("in", wait.next_check)],
    wait.stays_in_progress && ["Looks again", "when CodePipeline asks"],
    wait.give_up && ["Gives up", makeClock("in", wait.give_up)],
  ].filter(Boolean);
  const names = joinNames(wait.depends_on) || "others";
  const noReason =
    "The console shows nothing of it. " + `To go on now all the same: gatectl release ${pipeline}.`;
  return el(
    "li",
    { class: "card" },
    el("h3", {}, icon("waits"), el("span", {}, link(pipeline, wait.link), ` waits for ${names}`)),
    wait.since &&
      el(
        "p",
        {},
        el("span", { class: "big" }, makeClock("for", wait.since)),
        ` since ${formatTime(Date.parse(wait.since))}`,
      ),
    el("ul", { class: "causes" }, ...upstreams.map(makeCause)),
    el("p", { class: "next" }, describeNext({ wait, upstreams })),
    el(
      "dl",
      {},
      ...facts.map(([name, value]) => el("div", {}, el("dt", {}, name), el("dd", {}, value))),
    ),
    el(
      "details",
      { open },
      el("summary", {}, "What its gate says"),
      el("p", { class: "reason" }, wait.reason || noReason),
    ),
    el(
      "p",
      { class: "links" },
      executionLink(execution, pipeline, "Execution "),
      rule && link("Rule", rule.link, `The rule that holds ${pipeline}`),
    ),
  );
}

/** Return the item of an upstream in a card. */
const makeCause = ({ upstream, edge }) =>
  el(
    "li",
    { class: `is-${upstream.state}` },
    icon(upstream.state),
    el("span", {}, upstream.name, edge.stage ? `'s stage ${edge.stage}` : ""),
    el("span", { class: "state" }, ...describeState(upstream)),
  );

// What needs somebody's attention

/** @returns {{key: string, title: string, text: string, link: ?string}[]} */
function listFaults(account) {
  const {
    deadlocks,
    refusing,
    left_over: rules,
    not_looked_at: unread,
    pipelines,
    edges,
  } = account;
  const missing = pipelines.filter((pipeline) => pipeline.state === "missing");
  return [
    ...refusing.map(describeRefusingGate),
    ...missing.map((pipeline) => describeMissingPipeline(pipeline, edges)),
    ...deadlocks.map(describeDeadlock),
    ...rules.map(describeLeftOverRule),
    ...(unread.length ? [describeUnread(unread)] : []),
  ];
}

const describeRefusingGate = ({ pipeline, stage, action, problem, link }) => ({
  key: `refuses ${pipeline} ${stage} ${action}`,
  title: `${pipeline}'s gate refuses what it is asked`,
  text: `${problem} Until it is mended, ${pipeline} fails in its stage ${stage}, at ${action}.`,
  link,
});

function describeMissingPipeline({ id, name }, edges) {
  const dependents = edges.filter((edge) => edge.from === id).map((edge) => edge.to);
  return {
    key: `missing ${id}`,
    title: `There is no pipeline ${name} here`,
    text:
      `Who waits for it fails at the gate: ${joinNames(dependents)}. ` +
      "Correct the name in depends_on; upper and lower case count.",
    link: null,
  };
}

function describeDeadlock({ pipelines, text }) {
  const problem = pipelines.length === 1 ? "waits for itself" : "can wait for each other for ever";
  return {
    key: `deadlock ${pipelines.join(" ")}`,
    title: `${joinNames(pipelines)} ${problem}`,
    text,
    link: null,
  };
}

const describeLeftOverRule = ({ name, has_target: hasTarget, link }) => ({
  key: `rule ${name}`,
  title: `The rule ${name} holds nobody`,
  text: hasTarget
    ? "It has the gate's name, and its target is not the gate's own. " +
      "Whoever made it knows what for."
    : "It has no target: a gate was ended while it made it. " +
      "No pipeline starts by it. gatectl doctor --mend removes it.",
  link,
});

function describeUnread(unread) {
  const names = unread.map(({ name }) => name);
  const reasons = new Set(unread.map(({ why }) => why));
  const shown =
    names.length > 5
      ? `${names.slice(0, 5).join(", ")} and ${names.length - 5} more`
      : joinNames(names);
  return {
    key: `not looked at ${names.join(" ")}`,
    title: `Not looked at: ${shown}`,
    text: `${[...reasons].join("; ")}. Whether a gate waits there is not known here.`,
    link: null,
  };
}

const makeFaultItem = (fault) =>
  el(
    "li",
    {},
    icon("fault"),
    el("div", {}, el("h3", {}, link(fault.title, fault.link)), el("p", {}, fault.text)),
  );

// Two lists: the executions that are waiting, and what needs attention.
"use strict";

/** The words of a pipeline's states. */
const WORDS = {
  waits: "Waiting",
  asks: "Needs a person",
  runs: "Running",
  succeeded: "Succeeded",
  failed: "Failed",
  stopped: "Stopped",
  other: "Ended without a result",
  idle: "Has not run",
  elsewhere: "Not visible from here",
  missing: "Not found",
};

/** Return a pipeline's state and its clock: "Running for 4 min", "Failed 3 min ago". */
function describeState({ state, since }) {
  const isCurrent = ["waits", "asks", "runs"].includes(state);
  return [WORDS[state], since ? " " : "", since && makeClock(isCurrent ? "for" : "ago", since)];
}

/** Return the upstreams of a pipeline, each with the edge between them. */
const findUpstreams = (id, pipelines, edges) =>
  edges
    .filter((edge) => edge.to === id)
    .map((edge) => ({ edge, upstream: pipelines.find((pipeline) => pipeline.id === edge.from) }));

/** Return how a pipeline continues after its wait, and when. */
function describeContinuation(wait, when) {
  if (wait.stays_in_progress) return `It continues automatically ${when}, in the same execution.`;
  if (wait.starts_over) return `It starts again automatically ${when}.`;
  return `Its stage is retried automatically ${when}.`;
}

const addVerb = (names, singular, plural) =>
  names.length && `${joinNames(names)} ${names.length === 1 ? singular : plural}`;

/** Return for example "when network has finished (successfully or not) and database has succeeded". */
function describeEndOfWait(upstreams) {
  const listNames = (mustSucceed) => {
    const matching = upstreams.filter(({ edge }) => edge.must_succeed === mustSucceed);
    return [...new Set(matching.map(({ upstream }) => upstream.name))];
  };
  const success = addVerb(listNames(true), "has succeeded", "have succeeded");
  const end = addVerb(listNames(false), "has finished", "have finished");
  if (!success) return `when ${end || "the wait is over"} (successfully or not)`;
  return end ? `when ${end} (successfully or not) and ${success}` : `when ${success}`;
}

/** Return what happens next, and what a person has to do for that. */
function describeNext({ wait, upstreams }) {
  const comment = wait.comment ? ` ("${wait.comment}")` : "";
  if (wait.canceled_by)
    return `Canceled by ${wait.canceled_by}${comment}: the wait ends at the next check, and nothing is started.`;
  if (wait.let_go_by)
    return `Released by ${wait.let_go_by}${comment}: it continues within seconds, whatever its upstreams do.`;
  const holding = upstreams.filter(({ edge }) => edge.holds);
  const listNames = (isListed) => holding.filter(isListed).map(({ upstream }) => upstream.name);
  const withoutSuccess = listNames(
    ({ edge, upstream }) =>
      edge.must_succeed && ["failed", "stopped", "other", "idle"].includes(upstream.state),
  );
  const asking = listNames(({ upstream }) => upstream.state === "asks");
  const tasks = [
    withoutSuccess.length && `First, ${joinNames(withoutSuccess)} has to succeed, so someone has to fix and start it.`,
    asking.length &&
      `Someone has to let ${joinNames(asking)} continue: ` +
        "an approval is open, or a transition is disabled.",
  ].filter(Boolean);
  const continuation = describeContinuation(wait, describeEndOfWait(upstreams));
  return `${continuation} ${tasks.join(" ") || "You do not need to do anything."}`;
}

/** Return the card of a waiting execution. `upstreams`: those of its pipeline, each with its
 * edge; `open`: whether the gate's message is unfolded. */
function makeWaitCard({ wait, upstreams, open }) {
  const { pipeline, execution, rule } = wait;
  const facts = [
    wait.next_check && ["Next check", makeClock("in", wait.next_check)],
    wait.stays_in_progress && ["Next check", "when CodePipeline invokes the gate"],
    wait.give_up && ["Gives up", makeClock("in", wait.give_up)],
  ].filter(Boolean);
  const names = joinNames(wait.depends_on) || "others";
  const noReason =
    `The console shows no message. To continue now anyway, run: gatectl release ${pipeline}`;
  return el(
    "li",
    { class: "card" },
    el("h3", {}, icon("waits"), el("span", {}, link(pipeline, wait.link), ` is waiting for ${names}`)),
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
      el("summary", {}, "The gate's message"),
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

// What needs attention

/** @returns {{key: string, title: string, text: string, link: ?string}[]} */
function listFaults(account) {
  const {
    deadlocks,
    parked,
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
    ...parked.map((execution) => describeParked(execution, pipelines)),
    ...rules.map(describeLeftOverRule),
    ...(unread.length ? [describeUnread(unread)] : []),
  ];
}

const describeRefusingGate = ({ pipeline, stage, action, problem, link }) => ({
  key: `refuses ${pipeline} ${stage} ${action}`,
  title: `${pipeline}'s gate refuses its parameters`,
  text: `${problem} Until this is corrected, ${pipeline} fails in its stage ${stage}, at the action ${action}.`,
  link,
});

function describeMissingPipeline({ id, name }, edges) {
  const dependents = edges.filter((edge) => edge.from === id).map((edge) => edge.to);
  return {
    key: `missing ${id}`,
    title: `There is no pipeline ${name} here`,
    text:
      `These pipelines depend on it and fail at their gates: ${joinNames(dependents)}. ` +
      "Correct the name in depends_on. Names are case-sensitive.",
    link: null,
  };
}

function describeDeadlock({ pipelines, text }) {
  const problem = pipelines.length === 1 ? "waits for itself" : "can wait for each other forever";
  return {
    key: `deadlock ${pipelines.join(" ")}`,
    title: `${joinNames(pipelines)} ${problem}`,
    text,
    link: null,
  };
}

function describeParked({ pipeline, execution, upstreams }, pipelines) {
  const states = upstreams.map((id) => pipelines.find((upstream) => upstream.id === id));
  const names = joinNames(states.map(({ name }) => name));
  const now = states.map(({ name, state }) => `${name}: ${WORDS[state].toLowerCase()}`).join(", ");
  return {
    key: `parked ${pipeline} ${execution.id}`,
    title: `${pipeline} needs a person, and has passed its gate`,
    text: `It continues without another check of ${names}. Now: ${now}.`,
    link: execution.link,
  };
}

const describeLeftOverRule = ({ name, has_target: hasTarget, link }) => ({
  key: `rule ${name}`,
  title: `The rule ${name} does not hold any execution`,
  text: hasTarget
    ? "It is named like a rule of this gate, but its target is not the gate's. " +
      "Ask the person who created it before you remove it."
    : "It has no target, because a gate was stopped while creating it. " +
      "It does not start anything. gatectl doctor --mend removes it.",
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
    title: `Not checked: ${shown}`,
    text: `${[...reasons].join("; ")}. The Board does not know whether a gate is waiting there.`,
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

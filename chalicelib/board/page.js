// Requests the account's state from the server again and again, shows it, and says what changed.
"use strict";

/** The pauses between two requests in ms. While the page is hidden, HIDDEN_PAUSE is the shortest.
 * If requests fail, the pause doubles from the last one up to LONGEST_PAUSE. */
const HIDDEN_PAUSE = MINUTE,
  FIRST_PAUSE = 5 * SECOND,
  LONGEST_PAUSE = MINUTE;
const CHANGES_KEPT = 50;

/** The account as last shown, and when the server read it (ISO 8601). Why it is out of date: the
 * server's `problem`, or the `failure` of the last request. */
let account = null,
  lookedAt = "",
  problem = "",
  failure = "";
let tag = "",
  pause = FIRST_PAUSE,
  timer = 0,
  asking = false;

// Asking the server

/** The address of the state: /state locally, /api/state if deployed, as for the page. */
const STATE = new URL("state", `${location.origin}${location.pathname.replace(/\/?$/, "/")}`);

async function ask() {
  if (asking) return;
  asking = true;
  clearTimeout(timer);
  const answer = await fetchState();
  asking = false;
  failure = answer.failure ?? "";
  pause = failure ? Math.min(2 * pause, LONGEST_PAUSE) : answer.pause;
  timer = setTimeout(ask, document.hidden ? Math.max(HIDDEN_PAUSE, pause) : pause);
  if (answer.lookedAt) lookedAt = answer.lookedAt;
  if (answer.state) takeState(answer);
  showFreshness();
}

/** Return the server's answer: {date, lookedAt, pause}, with {state, tag} if something changed; or
 * {failure}. */
async function fetchState() {
  try {
    const response = await fetch(STATE, {
      headers: tag ? { "If-None-Match": tag } : {},
      cache: "no-store",
      signal: AbortSignal.timeout(MINUTE),
    });
    if (!response.ok && response.status !== 304)
      return { failure: describeStatus(response.status) };
    const { headers } = response;
    const answer = {
      date: headers.get("Date"),
      lookedAt: headers.get("Board-Looked-At"),
      pause: Number(headers.get("Board-Ask-Again")) * SECOND || FIRST_PAUSE,
    };
    if (!response.ok) return answer;
    return { ...answer, state: await response.json(), tag: headers.get("ETag") };
  } catch {
    return {
      failure:
        "The Board's server does not answer. " +
        "Is chalice local, or the proxy that signs your requests, still running?",
    };
  }
}

function describeStatus(status) {
  if (status === 403)
    return "The server refused the request (403). The proxy that signs your requests may need new credentials.";
  return `The Board's server failed with status ${status}.`;
}

function takeState(answer) {
  const before = account;
  ({ tag } = answer);
  setServerTime(answer.date);
  problem = answer.state.problem ?? "";
  if (!answer.state.seen) return;
  account = answer.state.seen;
  showAccount();
  if (before) describeChanges(before, account).forEach(showChange);
}

// Showing the account

function showAccount() {
  const { region, account: id, waits, pipelines } = account;
  $("picture").hidden = false;
  $("place").textContent = [region, id && `account ${id}`].filter(Boolean).join(" · ");
  const summary = `${waits.length || "None"} waiting`;
  document.title = `${summary} · Pipeline Gate`;
  showItems($("counts"), countStates(pipelines), makeCountItem, $("waiting"));
  const faults = listFaults(account);
  $("attention").hidden = !faults.length;
  showItems($("faults"), faults, makeFaultItem, $("waiting"));
  $("none").hidden = pipelines.length > 0;
  $("legend").hidden = !pipelines.length;
  $("filter").hidden = pipelines.length < 8;
  showFiltered();
}

/** Show the cards and the graph of the pipelines that pass the filter. */
function showFiltered() {
  const { pipelines, edges } = account;
  const ids = filterPipelines(account, $("find").value, $("only-waiting").checked);
  const isAll = ids.size === pipelines.length;
  $("found").textContent = `${isAll ? "" : `${ids.size} of `}${pipelines.length} pipelines`;
  const waits = account.waits.filter((wait) => isAll || ids.has(wait.pipeline));
  const cards = waits.map((wait) => ({
    key: `${wait.pipeline} ${wait.execution.id}`,
    wait,
    upstreams: findUpstreams(wait.pipeline, pipelines, edges),
    open: waits.length === 1,
  }));
  $("no-wait").hidden = waits.length > 0;
  $("no-wait").textContent = account.waits.length
    ? "No pipeline that matches the filter is waiting."
    : "No pipeline is waiting.";
  showItems($("waits"), cards, makeWaitCard, $("waiting"));
  drawGraph(
    pipelines.filter((pipeline) => ids.has(pipeline.id)),
    edges.filter((edge) => ids.has(edge.from) && ids.has(edge.to)),
    $("scroller").clientWidth,
  );
}

/** Return the ids of the pipelines that pass the filter: those with `text` in their names, and all
 * upstreams and dependents of these. With `onlyWaiting`, only those of them that are waiting, and
 * all upstreams of these. */
function filterPipelines({ pipelines, edges }, text, onlyWaiting) {
  const follow = (starts, from, to) => {
    const reached = new Set(starts.map((pipeline) => pipeline.id));
    for (const id of reached)
      // the Set grows while it is read
      for (const edge of edges) if (edge[from] === id) reached.add(edge[to]);
    return reached;
  };
  const searched = text.trim().toLowerCase();
  const named = pipelines.filter(({ name }) => name.toLowerCase().includes(searched));
  const chain = new Set([...follow(named, "to", "from"), ...follow(named, "from", "to")]);
  if (!onlyWaiting) return chain;
  const waiting = pipelines.filter(({ id, state }) => state === "waits" && chain.has(id));
  return follow(waiting, "to", "from");
}

/** The states that are counted, with the verb for one pipeline and for several. */
const COUNTED_STATES = {
  waits: ["waiting", "waiting"],
  asks: ["needs a person", "need a person"],
  runs: ["running", "running"],
  failed: ["failed", "failed"],
  succeeded: ["succeeded", "succeeded"],
  stopped: ["stopped", "stopped"],
};

const countStates = (pipelines) =>
  Object.keys(COUNTED_STATES)
    .map((key) => ({ key, number: pipelines.filter(({ state }) => state === key).length }))
    .filter(({ number }) => number);

function makeCountItem({ key, number }) {
  const [singular, plural] = COUNTED_STATES[key];
  const verb = number === 1 ? singular : plural;
  return el("li", {}, icon(key), el("strong", {}, String(number)), ` ${verb}`);
}

/** Show whether the page is up to date and, if it is not, why. */
function showFreshness() {
  const why = failure || problem;
  const at = lookedAt && formatTime(Date.parse(lookedAt), true);
  const old = at ? `Out of date: read at ${at}` : "Nothing read yet";
  $("seen").dataset.live = why ? "old" : "live";
  $("seen").textContent = why ? old : `Read at ${at}`;
  const banners = why ? [{ key: "problem", why, at }] : [];
  showItems($("problem"), banners, makeBanner, $("waiting"));
}

function makeBanner({ why, at }) {
  const title = at ? `This page is out of date: last read at ${at}. ` : "Nothing can be shown yet. ";
  return el("div", { class: "banner" }, icon("fault"), el("p", {}, el("strong", {}, title), why));
}

// Saying what changed

const CHANGED_STATES = {
  runs: "is running",
  failed: "failed",
  succeeded: "succeeded",
  stopped: "was stopped",
  asks: "needs a person",
};

/** Return sentences that say how the account `after` differs from `before`. */
function describeChanges(before, after) {
  const wasWaiting = new Set(before.waits.map(keyOfWait));
  const isWaiting = new Set(after.waits.map(keyOfWait));
  const begun = after.waits.filter((wait) => !wasWaiting.has(keyOfWait(wait)));
  const ended = before.waits.filter((wait) => !isWaiting.has(keyOfWait(wait)));
  const keyOfState = ({ state, execution }) => `${state} ${execution?.id}`;
  const states = new Map(before.pipelines.map((pipeline) => [pipeline.id, keyOfState(pipeline)]));
  const changed = after.pipelines.filter(
    (pipeline) =>
      CHANGED_STATES[pipeline.state] && states.get(pipeline.id) !== keyOfState(pipeline),
  );
  return [
    ...begun.map((wait) => `${wait.pipeline} is waiting for ${joinNames(wait.depends_on)}.`),
    ...ended.map((wait) => `${wait.pipeline} is no longer waiting.`),
    ...changed.map(({ name, state }) => `${name} ${CHANGED_STATES[state]}.`),
  ];
}

const keyOfWait = (wait) => `${wait.pipeline} ${wait.execution.id}`;

function showChange(sentence) {
  $("no-change")?.remove();
  const ms = readServerTime();
  const at = el("time", { dateTime: new Date(ms).toISOString() }, formatTime(ms, true));
  $("changes").prepend(el("p", {}, at, ` ${sentence}`));
  while ($("changes").childElementCount > CHANGES_KEPT) $("changes").lastChild.remove();
}

// Light or dark

const THEMES = ["system", "light", "dark"];

function setTheme(theme) {
  document.documentElement.dataset.theme = theme;
  $("theme").textContent = `Theme: ${theme}`;
  try {
    localStorage.setItem("theme", theme);
  } catch {
    // The browser does not allow the page to store anything.
  }
}

function readStoredTheme() {
  try {
    return THEMES.find((theme) => theme === localStorage.getItem("theme")) ?? "system";
  } catch {
    return "system";
  }
}

setTheme(readStoredTheme());
$("theme").addEventListener("click", () => {
  const index = THEMES.indexOf(document.documentElement.dataset.theme);
  setTheme(THEMES[(index + 1) % THEMES.length]);
});
$("filter").addEventListener("submit", (event) => event.preventDefault());
$("filter").addEventListener("input", showFiltered);
addEventListener("resize", () => account && showFiltered());
document.addEventListener("visibilitychange", () => document.hidden || ask());
setInterval(updateClocks, SECOND);
ask();

// Asks the server again and again how it stands, shows it, and tells what changed.
"use strict";

/** The pauses in ms: while nobody looks at the page; and where the server does not answer, doubled from the first to the second. */
const HIDDEN = MINUTE,
  FIRST = 5 * SECOND,
  LONGEST = MINUTE;
const CHANGES_KEPT = 50;

/** What was seen last, and when (ISO 8601); why it is not newer, in the server's words, or because that does not answer. */
let seen = null,
  lookedAt = "",
  problem = "",
  failure = "";
let tag = "",
  pause = FIRST,
  timer = 0,
  asking = false;

// Asking

/** Beside the page, wherever that is: locally at /state, deployed at /api/state. */
const STATE = new URL("state", `${location.origin}${location.pathname.replace(/\/?$/, "/")}`);

async function ask() {
  if (asking) return;
  asking = true;
  clearTimeout(timer);
  const answer = await fetched();
  asking = false;
  failure = answer.failure ?? "";
  pause = failure ? Math.min(2 * pause, LONGEST) : answer.pause;
  timer = setTimeout(ask, document.hidden ? Math.max(HIDDEN, pause) : pause);
  if (answer.lookedAt) lookedAt = answer.lookedAt;
  if (answer.state) take(answer);
  showStanding();
}

/** What the server answers: {state, tag, date, lookedAt, pause}, of which the first two only where something changed; or {failure}. */
async function fetched() {
  try {
    const headers = tag ? { "If-None-Match": tag } : {};
    const response = await fetch(STATE, { headers, cache: "no-store", signal: AbortSignal.timeout(MINUTE) });
    if (response.status === 403)
      return { failure: "The server refuses to answer (403). What signs your requests may need new credentials." };
    if (!response.ok && response.status !== 304) return { failure: `The Board's server has a fault: it answers ${response.status}.` };
    const [date, when, seconds] = ["Date", "Board-Looked-At", "Board-Ask-Again"].map((name) => response.headers.get(name));
    const always = { date, lookedAt: when, pause: Number(seconds) * SECOND || FIRST };
    return response.ok ? { ...always, state: await response.json(), tag: response.headers.get("ETag") } : always;
  } catch {
    return { failure: "The Board's server does not answer. Is chalice local, or what signs your requests, still running?" };
  }
}

function take(answer) {
  const before = seen;
  ({ tag } = answer);
  setClock(answer.date);
  problem = answer.state.problem ?? "";
  seen = answer.state.seen ?? seen;
  if (!answer.state.seen) return;
  show();
  if (before) changes(before, seen).forEach(tellChange);
}

// Showing

function show() {
  const { region, account, waits, pipelines } = seen;
  $("picture").hidden = false;
  $("place").textContent = [region, account && `account ${account}`].filter(Boolean).join(" · ");
  document.title = `${waits.length ? `${waits.length} ${waits.length === 1 ? "waits" : "wait"}` : "Nobody waits"} · Pipeline Gate`;
  keyed($("counts"), counts(pipelines), countItem, $("waiting"));
  const found = faults(seen);
  $("attention").hidden = !found.length;
  keyed($("faults"), found, faultItem, $("waiting"));
  $("none").hidden = pipelines.length > 0;
  $("legend").hidden = !pipelines.length;
  $("filter").hidden = pipelines.length < 8;
  showFound();
}

/** What the filter leaves: the cards and the graph. */
function showFound() {
  const { pipelines, edges } = seen;
  const left = filtered(seen, $("find").value, $("only-waiting").checked);
  const all = left.size === pipelines.length;
  $("found").textContent = `${all ? "" : `${left.size} of `}${pipelines.length} pipelines`;
  const waits = seen.waits.filter((wait) => all || left.has(wait.pipeline));
  const card = (wait) => ({
    key: `${wait.pipeline} ${wait.execution.id}`,
    wait,
    upstreams: upstreamsOf(wait.pipeline, pipelines, edges),
    open: waits.length === 1,
  });
  $("nobody").hidden = waits.length > 0;
  $("nobody").textContent = seen.waits.length ? "None of those found waits." : "Nobody waits.";
  keyed($("waits"), waits.map(card), waitCard, $("waiting"));
  drawGraph(
    pipelines.filter((one) => left.has(one.id)),
    edges.filter((edge) => left.has(edge.from) && left.has(edge.to)),
    $("scroller").clientWidth,
  );
}

/** The ids that the filter leaves: whose name has `text` in it, with all before and after them; of these, who waits, with all before. */
function filtered({ pipelines, edges }, text, onlyWaiting) {
  const along = (found, from, to) => {
    const reached = new Set(found.map((one) => one.id));
    for (const id of reached) for (const edge of edges) if (edge[from] === id) reached.add(edge[to]); // a Set is read as it grows
    return reached;
  };
  const named = pipelines.filter((one) => one.name.toLowerCase().includes(text.trim().toLowerCase()));
  const chain = new Set([...along(named, "to", "from"), ...along(named, "from", "to")]);
  if (!onlyWaiting) return chain;
  return along(
    pipelines.filter((one) => one.state === "waits" && chain.has(one.id)),
    "to",
    "from",
  );
}

const COUNTED = {
  waits: ["waits", "wait"],
  asks: ["needs a person", "need a person"],
  runs: ["runs", "run"],
  failed: ["failed", "failed"],
  succeeded: ["succeeded", "succeeded"],
  stopped: ["stopped", "stopped"],
};

const counts = (pipelines) =>
  Object.keys(COUNTED)
    .map((state) => ({ key: state, number: pipelines.filter((one) => one.state === state).length }))
    .filter((count) => count.number);

const countItem = ({ key, number }) => el("li", {}, icon(key), el("strong", {}, String(number)), ` ${COUNTED[key][number === 1 ? 0 : 1]}`);

/** Whether the picture is of now; if not, why. */
function showStanding() {
  const why = failure || problem;
  const at = lookedAt && utc(Date.parse(lookedAt), true);
  $("seen").dataset.live = why ? "old" : "live";
  $("seen").textContent = why ? (at ? `Old: seen ${at}` : "Nothing seen yet") : `Seen ${at}`;
  const banners = why ? [{ key: "problem", why, at }] : [];
  keyed($("problem"), banners, banner, $("waiting"));
}

const banner = ({ why, at }) =>
  el(
    "div",
    { class: "banner" },
    icon("fault"),
    el("p", {}, el("strong", {}, at ? `This picture is old: last seen ${at}. ` : "Nothing can be shown yet. "), why),
  );

// Telling what changed

/** Sentences that say how `after` differs from `before`. */
function changes(before, after) {
  const key = (wait) => `${wait.pipeline} ${wait.execution.id}`;
  const missing = (from, other) => other.filter((one) => !from.some((each) => key(each) === key(one)));
  const was = new Map(before.pipelines.map((one) => [one.id, `${one.state} ${one.execution?.id}`]));
  const results = after.pipelines.filter((one) => was.get(one.id) !== `${one.state} ${one.execution?.id}`);
  const word = { runs: "runs", failed: "failed", succeeded: "succeeded", stopped: "was stopped", asks: "needs a person" };
  return [
    ...missing(before.waits, after.waits).map((wait) => `${wait.pipeline} waits for ${listed(wait.depends_on)}.`),
    ...missing(after.waits, before.waits).map((wait) => `${wait.pipeline} waits no longer.`),
    ...results.filter((one) => word[one.state]).map((one) => `${one.name} ${word[one.state]}.`),
  ];
}

function tellChange(sentence) {
  $("no-change")?.remove();
  const at = el("time", { dateTime: new Date(now()).toISOString() }, utc(now(), true));
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
    // It is not kept where the browser keeps nothing.
  }
}

function keptTheme() {
  try {
    return THEMES.find((theme) => theme === localStorage.getItem("theme")) ?? "system";
  } catch {
    return "system";
  }
}

setTheme(keptTheme());
$("theme").addEventListener("click", () => setTheme(THEMES[(THEMES.indexOf(document.documentElement.dataset.theme) + 1) % 3]));
$("filter").addEventListener("submit", (event) => event.preventDefault());
$("filter").addEventListener("input", showFound);
addEventListener("resize", () => seen && showFound());
document.addEventListener("visibilitychange", () => document.hidden || ask());
setInterval(tick, SECOND);
ask();

// Asks the server again and again how it stands, shows it, and tells what changed.
"use strict";

/** The pauses in ms: while nobody looks at the page; and where the server does not answer, doubled from the first to the second. */
const HIDDEN = MINUTE, FIRST = 5 * SECOND, LONGEST = MINUTE;
const CHANGES_KEPT = 50;

/** What the server told last ({seen, problem}), when it looked (ISO 8601), and why the last request failed, if it did. */
let told = null, lookedAt = "", failure = "";
let tag = "", pause = FIRST, timer = 0, asking = false;

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
  pause = answer.failure ? Math.min(2 * pause, LONGEST) : answer.pause;
  timer = setTimeout(ask, document.hidden ? Math.max(HIDDEN, pause) : pause);
  if (!answer.failure) lookedAt = answer.lookedAt;
  if (answer.told) take(answer);
  showStanding();
}

/** What the server answers: {told, tag, date, lookedAt, pause}, without the first three where nothing has changed; or {failure}, why not. */
async function fetched() {
  try {
    const response = await fetch(STATE, { headers: tag ? { "If-None-Match": tag } : {}, cache: "no-store", signal: AbortSignal.timeout(MINUTE) });
    if (response.status === 403) return { failure: "The server refuses to answer (403). What signs your requests may need new credentials." };
    if (!response.ok && response.status !== 304) return { failure: `The Board's server has a fault: it answers ${response.status}.` };
    const [date, lookedAt, seconds] = ["Date", "Board-Looked-At", "Board-Ask-Again"].map((name) => response.headers.get(name));
    const always = { date, lookedAt: lookedAt ?? "", pause: Number(seconds) * SECOND || FIRST };
    return response.ok ? { ...always, told: await response.json(), tag: response.headers.get("ETag") } : always;
  } catch {
    return { failure: "The Board's server does not answer. Is chalice local, or what signs your requests, still running?" };
  }
}

function take(answer) {
  const before = told?.seen;
  ({ told, tag } = answer);
  setClock(answer.date);
  if (!told.seen) return;
  show();
  if (before) changes(before, told.seen).forEach(tellChange);
}

// Showing

function show() {
  const { seen } = told;
  $("picture").hidden = false;
  $("place").textContent = [seen.region, seen.account && `account ${seen.account}`].filter(Boolean).join(" · ");
  const number = seen.waits.length;
  document.title = `${number ? `${number} ${number === 1 ? "waits" : "wait"}` : "Nobody waits"} · Pipeline Gate`;
  showCounts(seen);
  const found = faults(seen);
  $("attention").hidden = !found.length;
  keyed($("faults"), found, faultItem, $("waiting"));
  $("none").hidden = seen.pipelines.length > 0;
  $("legend").hidden = !seen.pipelines.length;
  $("filter").hidden = seen.pipelines.length < 8;
  showFound();
}

/** What the filter leaves: the cards and the graph. */
function showFound() {
  const { seen } = told;
  const left = filtered(seen, $("find").value, $("only-waiting").checked);
  const waits = seen.waits.filter((wait) => left.has(wait.pipeline) || left.size === seen.pipelines.length);
  const cards = waits.map((wait) => ({
    key: `${wait.pipeline} ${wait.execution.id}`, wait, upstreams: upstreamsOf(wait.pipeline, seen.pipelines, seen.edges), open: waits.length === 1,
  }));
  $("nobody").hidden = cards.length > 0;
  $("nobody").textContent = seen.waits.length ? "None of those found waits." : "Nobody waits.";
  keyed($("waits"), cards, waitCard, $("waiting"));
  const edges = seen.edges.filter((edge) => left.has(edge.from) && left.has(edge.to));
  const all = seen.pipelines.length;
  $("found").textContent = left.size < all ? `${left.size} of ${all} pipelines` : `${all} pipelines`;
  drawGraph(seen.pipelines.filter((one) => left.has(one.id)), edges, $("scroller").clientWidth); // prettier-ignore
}

/** The ids that the filter leaves: those whose name has `text` in it, with all before and after them; or who waits, with all before them. */
function filtered({ pipelines, edges }, text, onlyWaiting) {
  const along = (ids, from, to) => {
    const reached = new Set(ids);
    for (const id of reached) for (const edge of edges) if (edge[from] === id) reached.add(edge[to]); // a Set is read as it grows
    return reached;
  };
  const wanted = pipelines.filter((one) => one.name.toLowerCase().includes(text.trim().toLowerCase())).map((one) => one.id);
  const chain = new Set([...along(wanted, "to", "from"), ...along(wanted, "from", "to")]);
  if (!onlyWaiting) return chain;
  const waiting = along(pipelines.filter((one) => one.state === "waits" && chain.has(one.id)).map((one) => one.id), "to", "from"); // prettier-ignore
  return new Set([...waiting].filter((id) => chain.has(id)));
}

const COUNTED = {
  waits: ["waits", "wait"], asks: ["needs a person", "need a person"], runs: ["runs", "run"], failed: ["failed", "failed"],
  succeeded: ["succeeded", "succeeded"], stopped: ["stopped", "stopped"],
}; // prettier-ignore

function showCounts({ pipelines }) {
  const counts = Object.entries(COUNTED).map(([state, words]) => ({ key: state, number: pipelines.filter((one) => one.state === state).length, words }));
  const make = ({ key, number, words }) => el("li", {}, icon(key), el("strong", {}, String(number)), ` ${words[number === 1 ? 0 : 1]}`);
  keyed($("counts"), counts.filter((count) => count.number), make, $("waiting")); // prettier-ignore
}

/** Whether the picture is of now; if not, why. */
function showStanding() {
  const problem = failure || told?.problem || "";
  const at = lookedAt && `${utc(Date.parse(lookedAt), true)}`;
  $("seen").dataset.live = problem ? "old" : "live";
  $("seen").textContent = problem ? (at ? `Old: seen ${at}` : "Nothing seen yet") : `Seen ${at}`;
  const key = problem && `${problem} ${at}`;
  if ($("problem").dataset.told === key) return;
  $("problem").dataset.told = key;
  $("problem").replaceChildren(...(problem ? [banner(problem, at)] : []));
}

const banner = (problem, at) =>
  el("div", { class: "banner" }, icon("fault"), el("p", {}, el("strong", {}, at ? `This picture is old: last seen ${at}. ` : "Nothing can be shown yet. "), problem));

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
$("filter").addEventListener("input", () => told?.seen && showFound());
new ResizeObserver(() => told?.seen && showFound()).observe($("scroller"));
document.addEventListener("visibilitychange", () => document.hidden || ask());
setInterval(tick, SECOND);
ask();

// Draws what the server tells. All that AWS or a person named goes in as text, never as HTML.
"use strict";

const $ = (id) => document.getElementById(id);

/** An element: its properties (`class` and `data-...` are attributes), and its children, of which strings become text. */
function el(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties))
    if (name === "class" || name.includes("-")) element.setAttribute(name, value);
    else element[name] = value;
  element.append(...children.filter((child) => child !== null && child !== undefined && child !== ""));
  return element;
}

function svg(tag, attributes = {}) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  return element;
}

function icon(name) {
  const drawn = svg("svg", { class: `icon is-${name}`, "aria-hidden": "true", focusable: "false" });
  drawn.append(svg("use", { href: `#icon-${name}` }));
  return drawn;
}

/** A link to the console, or its text alone where there is nothing to show there. */
const link = (text, href, label) =>
  href?.startsWith("https://") ? el("a", { href, target: "_blank", rel: "noreferrer", ...(label && { "aria-label": label }) }, text) : el("span", {}, text);

/** "infra, network and dns" */
const listed = (names) => [names.slice(0, -1).join(", "), ...names.slice(-1)].filter(Boolean).join(" and ");

const shortId = (execution) => execution.id.slice(0, 8);

const executionLink = (execution, pipeline, before = "") =>
  link(`${before}${shortId(execution)}`, execution.link, `Execution ${shortId(execution)} of ${pipeline}`);

/**
 * Make the children of `parent` show `items`, by their `key`. What did not change stays as it is; what did is made anew, and keeps the
 * focus and whether its details are open. Where the focus goes with what it was on, it goes to `heir`.
 */
function keyed(parent, items, make, heir) {
  const old = new Map([...parent.children].map((child) => [child.dataset.key, child]));
  const focused = parent.contains(document.activeElement) ? document.activeElement : null;
  let last = null;
  for (const item of items) {
    const told = JSON.stringify(item);
    const known = old.get(item.key);
    old.delete(item.key);
    let child = known;
    if (known?.told !== told) {
      child = make(item);
      child.dataset.key = item.key;
      child.told = told;
      if (known) replace(known, child, focused);
    }
    const place = last ? last.nextSibling : parent.firstChild;
    if (child !== place) parent.insertBefore(child, place);
    last = child;
  }
  for (const gone of old.values()) {
    if (gone.contains(focused)) heir.focus();
    gone.remove();
  }
}

function replace(known, child, focused) {
  const links = "a, button, summary";
  const at = [...known.querySelectorAll(links)].indexOf(focused);
  const [was, is] = [known, child].map((one) => one.querySelector("details"));
  if (was && is) is.open = was.open;
  known.replaceWith(child);
  if (at >= 0) child.querySelectorAll(links)[at]?.focus();
}

// Pipelines and their states

const WORDS = {
  waits: "Waits", asks: "Needs a person", runs: "Runs", succeeded: "Succeeded", failed: "Failed", stopped: "Stopped",
  other: "Ended without a result", idle: "Has not run", elsewhere: "Not seen from here", missing: "Not found",
}; // prettier-ignore

/** "Runs for 4 min", "Failed 3 min ago" */
function standing({ state, since }) {
  const lasts = ["waits", "asks", "runs"].includes(state);
  return [WORDS[state], since ? " " : "", since && clock(lasts ? "for" : "ago", since)];
}

/** One pipeline of the graph. `upstreams`: those that it waits for, each with its edge. */
function node({ pipeline, upstreams }) {
  const { id, name, state, execution, more } = pipeline;
  const where = pipeline.where && el("span", { class: "where" }, ` (${pipeline.where})`);
  return el(
    "li",
    { class: `node is-${state}` },
    el("h3", {}, icon(state), el("span", { class: "name", title: id }, link(name, pipeline.link), where)),
    el("p", { class: "state" }, ...standing(pipeline)),
    execution && el("p", { class: "execution" }, executionLink(execution, name), more ? ` and ${more} more` : ""),
    upstreams.length ? el("p", { class: "after" }, `After ${listed(upstreams.map(after))}`) : null,
  );
}

function after({ upstream, edge }) {
  const how = [edge.stage && `its stage ${edge.stage}`, edge.must_succeed && "must succeed", edge.holds && "holds it now"].filter(Boolean);
  return how.length ? `${upstream.name} (${how.join(", ")})` : upstream.name;
}

// Who waits

const GOES_ON = {
  restart: "It starts again by itself when that is over.",
  retry: "Its stage is retried by itself when that is over.",
  wait: "It goes on by itself when that is over, in the same execution.",
};

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
  return `${GOES_ON[wait.hold]} ${todo.join(" ") || "There is nothing to do."}`;
}

/** One that waits, as a card. `upstreams`: those that its pipeline waits for, each with its edge; `open`: with what its gate says. */
function waitCard({ wait, upstreams, open }) {
  const { pipeline, execution, rule } = wait;
  const facts = [
    wait.next_check && ["Looks again", clock("in", wait.next_check)],
    wait.hold === "wait" && ["Looks again", "when CodePipeline asks"],
    wait.give_up && ["Gives up", clock("in", wait.give_up)],
  ].filter(Boolean);
  const links = [
    executionLink(execution, pipeline, "Execution "),
    rule && link("Rule", rule.link, `The rule that holds ${pipeline}`),
  ];
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
      el("p", { class: "reason" }, wait.reason || `The console shows nothing of it. To go on now all the same: gatectl release ${pipeline}.`),
    ),
    el("p", { class: "links" }, ...links),
  );
}

const cause = ({ upstream, edge }) =>
  el("li", { class: `is-${upstream.state}` }, icon(upstream.state), el("span", {}, upstream.name, edge.stage ? `'s stage ${edge.stage}` : ""), el("span", { class: "state" }, ...standing(upstream)));

// What somebody has to see to

/** @returns {{key: string, title: string, text: string, link: ?string}[]} */
function faults({ circles, refusing, left_over: rules, pipelines, edges }) {
  const dependents = (id) => listed(edges.filter((edge) => edge.from === id).map((edge) => edge.to));
  return [
    ...refusing.map((gate) => ({
      key: `refuses ${gate.pipeline} ${gate.stage} ${gate.action}`,
      title: `${gate.pipeline}'s gate refuses what it is asked`,
      text: `${gate.problem} Until it is mended, ${gate.pipeline} fails in its stage ${gate.stage}, at ${gate.action}.`,
      link: gate.link,
    })),
    ...pipelines.filter((one) => one.state === "missing").map((one) => ({
      key: `missing ${one.id}`,
      title: `There is no pipeline ${one.name} here`,
      text: `${dependents(one.id)} would wait for it, and fails at its gate instead. Correct the name in depends_on; upper and lower case count.`,
      link: null,
    })),
    ...circles.map((circle) => ({
      key: `circle ${circle.join(" ")}`,
      title: `${listed([...new Set(circle)].sort())} wait for each other`,
      text:
        `${circle[0]} waits for ${circle.slice(1).join(", which waits for ")}. That can end in a deadlock, if one of them requires ` +
        "that another has succeeded, or waits in place. Take one of them out of the other's depends_on.",
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
  ];
}

const faultItem = (fault) =>
  el("li", {}, icon("fault"), el("div", {}, el("h3", {}, link(fault.title, fault.link)), el("p", {}, fault.text)));

// The graph

const upstreamsOf = (id, pipelines, edges) =>
  edges.filter((edge) => edge.to === id).map((edge) => ({ edge, upstream: pipelines.find((one) => one.id === edge.from) })); // prettier-ignore

/** The sizes of the graph, in CSS pixels: they are style.css's, too. */
const NODE = { width: 216, height: 104, across: 52, down: 18 };

/** Put the nodes and draw the edges. `shown`: pipelines with their edges; `wide`: the pixels that there are. */
function drawGraph(shown, edges, wide) {
  const columns = Math.max(1, Math.floor((wide + NODE.across) / (NODE.width + NODE.across)));
  const at = layout(shown.map((one) => one.id), edges, columns); // prettier-ignore
  const x = (place) => place.column * (NODE.width + NODE.across);
  const y = (place) => place.row * (NODE.height + NODE.down);
  const items = [...at.places.keys()].map((id) => ({ key: id, pipeline: shown.find((one) => one.id === id), upstreams: upstreamsOf(id, shown, edges) }));
  keyed($("nodes"), items, node, $("pipelines"));
  for (const child of $("nodes").children) {
    child.style.setProperty("--x", `${x(at.places.get(child.dataset.key))}px`);
    child.style.setProperty("--y", `${y(at.places.get(child.dataset.key))}px`);
  }
  const width = at.columns * (NODE.width + NODE.across) - NODE.across;
  const height = at.rows * (NODE.height + NODE.down);
  $("graph").style.setProperty("--width", `${Math.max(0, width)}px`);
  $("graph").style.setProperty("--height", `${height}px`);
  $("edges").setAttribute("viewBox", `0 0 ${Math.max(1, width)} ${Math.max(1, height)}`);
  const line = (edge) => {
    const [from, to] = [at.places.get(edge.from), at.places.get(edge.to)];
    const points = [[x(from) + NODE.width, y(from) + NODE.height / 2]];
    for (const way of at.ways.get(edge) ?? []) for (const end of [0, NODE.width]) points.push([x(way) + end, y(way) + NODE.height / 2]);
    return [...points, [x(to) - 9, y(to) + NODE.height / 2]];
  };
  const drawn = [...edges].sort((a, b) => a.holds - b.holds).map((edge) => arrow(line(edge), edge));
  $("edges").replaceChildren(...drawn.flat());
}

/** An arrow through these points. Where its end lies left of its start it closes a circle, and bends back below. */
function arrow(points, edge) {
  const [[, startY]] = points, [endX, endY] = points.at(-1);
  const parts = points.slice(1).map(([x, y], index) => {
    const [lastX, lastY] = points[index];
    if (x <= lastX) {
      const low = Math.max(startY, endY) + NODE.height / 2 + NODE.down / 2;
      return `C ${lastX + 60} ${lastY} ${lastX + 30} ${low} ${(lastX + x) / 2} ${low} S ${x - 60} ${y} ${x} ${y}`;
    }
    return y === lastY ? `H ${x}` : `C ${(lastX + x) / 2} ${lastY} ${(lastX + x) / 2} ${y} ${x} ${y}`;
  });
  const kind = ["edge", edge.holds && "holds", edge.must_succeed && "must"].filter(Boolean).join(" ");
  return [
    svg("path", { class: kind, d: `M ${points[0].join(" ")} ${parts.join(" ")}` }),
    svg("path", { class: `${kind} tip`, d: `M ${endX - 1} ${endY - 5} l 9 5 l -9 5 z` }),
  ];
}

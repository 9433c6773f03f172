// What the page is made of. All that AWS or a person named goes in as text, never as HTML.
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
  href?.startsWith("https://")
    ? el("a", { href, target: "_blank", rel: "noreferrer", ...(label && { "aria-label": label }) }, text)
    : el("span", {}, text);

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

// The elements of the page. Everything that AWS or a person named becomes text, never HTML.
"use strict";

const $ = (id) => document.getElementById(id);

/** Return an element with properties (`class` and `data-...` are set as attributes) and children,
 * of which strings become text and empty ones are left out. */
function el(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties))
    if (name === "class" || name.includes("-")) element.setAttribute(name, value);
    else element[name] = value;
  const isShown = (child) => child !== null && child !== undefined && child !== "";
  element.append(...children.filter(isShown));
  return element;
}

function svg(tag, attributes = {}) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  return element;
}

/** Return the icon of a state, which page.html draws. */
function icon(name) {
  const drawing = svg("svg", {
    class: `icon is-${name}`,
    "aria-hidden": "true",
    focusable: "false",
  });
  drawing.append(svg("use", { href: `#icon-${name}` }));
  return drawing;
}

/** Return a link to the console, or only its text if `href` is null. */
function link(text, href, label) {
  if (!href?.startsWith("https://")) return el("span", {}, text);
  const labelled = label ? { "aria-label": label } : {};
  return el("a", { href, target: "_blank", rel: "noreferrer", ...labelled }, text);
}

/** Return names as part of a sentence: "infra, network and dns". */
const joinNames = (names) =>
  [names.slice(0, -1).join(", "), ...names.slice(-1)].filter(Boolean).join(" and ");

const shortId = (execution) => execution.id.slice(0, 8);

/** Return a link to an execution: its short id, after the text `before`. */
const executionLink = (execution, pipeline, before = "") =>
  link(
    `${before}${shortId(execution)}`,
    execution.link,
    `Execution ${shortId(execution)} of ${pipeline}`,
  );

/**
 * Make the children of `parent` show `items`, which are matched by their `key`.
 *
 * A child whose item did not change stays as it is. A new one takes its place if the item did, and
 * keeps the focus and whether its details are open. If a child that has the focus is removed, the
 * focus goes to `heir`. `make` returns the child of an item.
 */
function showItems(parent, items, make, heir) {
  const leftovers = new Map([...parent.children].map((child) => [child.dataset.key, child]));
  const focused = parent.contains(document.activeElement) ? document.activeElement : null;
  let last = null;
  for (const item of items) {
    const json = JSON.stringify(item);
    const current = leftovers.get(item.key);
    leftovers.delete(item.key);
    let child = current;
    if (current?.itemJson !== json) {
      child = make(item);
      child.dataset.key = item.key;
      child.itemJson = json;
      if (current) replaceChild(current, child, focused);
    }
    const place = last ? last.nextSibling : parent.firstChild;
    if (child !== place) parent.insertBefore(child, place);
    last = child;
  }
  for (const child of leftovers.values()) {
    if (child.contains(focused)) heir.focus();
    child.remove();
  }
}

/** Put `child` in place of `current`. Open details stay open, and the focus stays where it was. */
function replaceChild(current, child, focused) {
  const focusable = "a, button, summary";
  const index = [...current.querySelectorAll(focusable)].indexOf(focused);
  const before = current.querySelector("details"),
    after = child.querySelector("details");
  if (before && after) after.open = before.open;
  current.replaceWith(child);
  if (index >= 0) child.querySelectorAll(focusable)[index]?.focus();
}

// Times: the server's clock, and words for spans that tick by themselves.
"use strict";

const SECOND = 1000,
  MINUTE = 60 * SECOND,
  HOUR = 60 * MINUTE,
  DAY = 24 * HOUR;

/** How far this browser's clock is behind the server's, in ms. */
let skew = 0;

/** The server's time now, in ms. */
const now = () => Date.now() + skew;

/** Learn the server's time from a response's Date header, which is cut to the second. */
function setClock(date) {
  const behind = Date.parse(date) - Date.now();
  // Its own half-second and the way here are no difference between two clocks.
  if (Number.isFinite(behind)) skew = Math.abs(behind) > 2 * SECOND ? behind : 0;
}

/** A span of ms in words: "42 s", "12 min", "2 h 5 min", "3 d 4 h". */
function span(ms) {
  if (ms < MINUTE) return `${Math.max(0, Math.floor(ms / SECOND))} s`;
  if (ms < HOUR) return `${Math.floor(ms / MINUTE)} min`;
  const [whole, unit, part, smaller] = ms < DAY ? [HOUR, "h", MINUTE, "min"] : [DAY, "d", HOUR, "h"];
  const rest = Math.floor((ms % whole) / part);
  return `${Math.floor(ms / whole)} ${unit}${rest ? ` ${rest} ${smaller}` : ""}`;
}

/** "12:03 UTC", with the date where it is not today's; `seconds`: "12:03:10 UTC". */
function utc(ms, seconds = false) {
  const iso = new Date(ms).toISOString();
  const time = iso.slice(11, seconds ? 19 : 16);
  return iso.slice(0, 10) === new Date(now()).toISOString().slice(0, 10) ? `${time} UTC` : `${iso.slice(0, 10)} ${time} UTC`;
}

/** What a clock says now, by its kind: how long something lasts ("for"), is over ("ago") or is still to come ("in"). */
const READINGS = {
  for: (at) => `for ${span(now() - at)}`,
  ago: (at) => `${span(now() - at)} ago`,
  in: (at) => (at > now() ? `in ${span(Math.ceil((at - now()) / SECOND) * SECOND)}` : "any moment now"),
};

/** A <time> that ticks. `iso`: ISO 8601. */
function clock(kind, iso) {
  const element = document.createElement("time");
  element.dateTime = iso;
  element.dataset.clock = kind;
  element.title = `${utc(Date.parse(iso), true)}, here ${new Date(iso).toLocaleString()}`;
  read(element);
  return element;
}

function read(element) {
  const text = READINGS[element.dataset.clock](Date.parse(element.dateTime));
  if (element.textContent !== text) element.textContent = text;
}

const tick = () => document.querySelectorAll("time[data-clock]").forEach(read);

// Times: the server's clock, and elements that show how long something takes or has taken.
"use strict";

const SECOND = 1000,
  MINUTE = 60 * SECOND,
  HOUR = 60 * MINUTE,
  DAY = 24 * HOUR;

/** How many ms this browser's clock is behind the server's. */
let skew = 0;

/** Return the server's time in ms. */
const readServerTime = () => Date.now() + skew;

/** Learn the server's time from a response's Date header, which has no fractions of a second. */
function setServerTime(date) {
  const behind = Date.parse(date) - Date.now();
  // Up to two seconds may come from rounding and from the way here, not from a wrong clock.
  if (Number.isFinite(behind)) skew = Math.abs(behind) > 2 * SECOND ? behind : 0;
}

/** Return a span of ms in words: "42 s", "12 min", "2 h 5 min", "3 d 4 h". */
function formatSpan(ms) {
  if (ms < MINUTE) return `${Math.max(0, Math.floor(ms / SECOND))} s`;
  if (ms < HOUR) return `${Math.floor(ms / MINUTE)} min`;
  const [size, unit, smallerSize, smallerUnit] =
    ms < DAY ? [HOUR, "h", MINUTE, "min"] : [DAY, "d", HOUR, "h"];
  const smaller = Math.floor((ms % size) / smallerSize);
  return `${Math.floor(ms / size)} ${unit}${smaller ? ` ${smaller} ${smallerUnit}` : ""}`;
}

/** Return "12:03 UTC", with the date if it is not today's. `seconds`: "12:03:10 UTC". */
function formatTime(ms, seconds = false) {
  const iso = new Date(ms).toISOString();
  const date = iso.slice(0, 10);
  const time = `${iso.slice(11, seconds ? 19 : 16)} UTC`;
  const isToday = date === new Date(readServerTime()).toISOString().slice(0, 10);
  return isToday ? time : `${date} ${time}`;
}

/** The text of each kind of clock: how long something has lasted, how long ago it was, and how
 * soon it will be. */
const CLOCK_TEXTS = {
  for: (at) => `for ${formatSpan(readServerTime() - at)}`,
  ago: (at) => `${formatSpan(readServerTime() - at)} ago`,
  in: (at) => {
    const ms = at - readServerTime();
    return ms > 0 ? `in ${formatSpan(Math.ceil(ms / SECOND) * SECOND)}` : "any moment now";
  },
};

/** Return a <time> that updateClocks keeps up to date. `kind`: a key of CLOCK_TEXTS; `iso`: its
 * time in ISO 8601. */
function makeClock(kind, iso) {
  const element = document.createElement("time");
  element.dateTime = iso;
  element.dataset.clock = kind;
  element.title = `${formatTime(Date.parse(iso), true)}, here ${new Date(iso).toLocaleString()}`;
  updateClock(element);
  return element;
}

function updateClock(element) {
  const text = CLOCK_TEXTS[element.dataset.clock](Date.parse(element.dateTime));
  if (element.textContent !== text) element.textContent = text;
}

const updateClocks = () => document.querySelectorAll("time[data-clock]").forEach(updateClock);

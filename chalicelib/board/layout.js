// Where the pipelines of the graph stand: columns from upstream to dependent, rows that keep arrows short and rarely crossing.
// Pure: layout(names, edges) knows nothing of the page.
"use strict";

/**
 * @param {string[]} names
 * @param {{from: string, to: string}[]} edges  between these names
 * @param {number} wide  as many columns find room side by side: small groups share them
 * @returns {{places: Map<string, {column: number, row: number}>, ways: Map<object, {column: number, row: number}[]>, columns: number,
 *   rows: number}}  `places`: in the order of reading; `ways`: the points between its two ends that an edge leads through; a pipeline is
 *   one row high
 */
function layout(names, edges, wide = 1) {
  const places = new Map(),
    ways = new Map();
  let left = 0,
    top = 0,
    bottom = 0,
    columns = 0;
  for (const group of groups(names, edges)) {
    const standing = inOrder(columnsOf(group));
    const rows = setRows(standing);
    if (left + standing.length > wide) ((left = 0), (top = bottom));
    for (const point of standing.flat()) {
      const place = { column: left + point.column, row: top + rows.get(point) };
      if (point.edge) ways.set(point.edge, [...(ways.get(point.edge) ?? []), place]);
      else places.set(point.name, place);
    }
    left += standing.length;
    columns = Math.max(columns, left);
    bottom = Math.max(bottom, top + 1 + Math.max(...rows.values()));
  }
  return { places, ways, columns, rows: bottom };
}

/** The connected parts of the graph, the largest first; each with its own edges. */
function groups(names, edges) {
  const next = new Map(names.map((name) => [name, []]));
  for (const { from, to } of edges) (next.get(from).push(to), next.get(to).push(from));
  const seen = new Set(),
    found = [];
  for (const name of names) {
    if (seen.has(name)) continue;
    const group = [name];
    seen.add(name);
    for (const one of group) for (const other of next.get(one)) if (!seen.has(other)) (seen.add(other), group.push(other));
    found.push({ names: group.sort(), edges: edges.filter((edge) => group.includes(edge.from)) });
  }
  return found.sort((a, b) => b.names.length - a.names.length || (a.names[0] < b.names[0] ? -1 : 1));
}

/** The edges that close a circle on a walk along the arrows: the columns do without them. */
function closing(names, edges) {
  const found = new Set(),
    state = new Map();
  const walk = (name) => {
    state.set(name, "open");
    for (const edge of edges) {
      if (edge.from !== name) continue;
      if (state.get(edge.to) === "open") found.add(edge);
      else if (!state.has(edge.to)) walk(edge.to);
    }
    state.set(name, "done");
  };
  const waiting = new Set(edges.map((edge) => edge.to));
  for (const name of [...names.filter((one) => !waiting.has(one)), ...names]) if (!state.has(name)) walk(name);
  return found;
}

/**
 * The points of each column: a pipeline stands right of all that it waits for, and as far left as its dependents are near; an edge
 * over several columns gets a point of its own in each between.
 */
function columnsOf({ names, edges }) {
  const back = closing(names, edges);
  const forward = edges.filter((edge) => !back.has(edge));
  const column = new Map(names.map((name) => [name, 0]));
  for (let moved = true; moved;) {
    moved = false;
    for (const { from, to } of forward) if (column.get(to) <= column.get(from)) (column.set(to, column.get(from) + 1), (moved = true));
  }
  for (const name of names) {
    if (forward.some((edge) => edge.to === name)) continue;
    const nearest = Math.min(...forward.filter((edge) => edge.from === name).map((edge) => column.get(edge.to)));
    if (Number.isFinite(nearest)) column.set(name, nearest - 1);
  }
  const columns = Array.from({ length: 1 + Math.max(...column.values()) }, () => []);
  const points = new Map(names.map((name) => [name, { name, column: column.get(name), before: [], after: [] }]));
  for (const name of names) columns[column.get(name)].push(points.get(name));
  for (const edge of forward) {
    let last = points.get(edge.from);
    for (let at = column.get(edge.from) + 1; at <= column.get(edge.to); at++) {
      const point = at === column.get(edge.to) ? points.get(edge.to) : { edge, column: at, before: [], after: [] };
      if (point.edge) columns[at].push(point);
      (last.after.push(point), point.before.push(last));
      last = point;
    }
  }
  return columns;
}

/** The columns, each sorted so that few arrows cross: by where the neighbours stand, to and fro; the best of some rounds. */
function inOrder(columns) {
  let best = columns.map((column) => [...column]),
    fewest = crossings(best);
  const tried = columns.map((column) => [...column]);
  for (let round = 0; round < 8 && fewest > 0; round++) {
    const side = round % 2 ? "after" : "before";
    for (const column of round % 2 ? [...tried].reverse() : tried) {
      const index = new Map(tried.flatMap((one) => one.map((point, place) => [point, place])));
      const wish = new Map(column.map((point) => [point, mean(point[side].map((one) => index.get(one))) ?? index.get(point)]));
      column.sort((a, b) => wish.get(a) - wish.get(b));
    }
    const number = crossings(tried);
    if (number < fewest) ((fewest = number), (best = tried.map((column) => [...column])));
  }
  return best;
}

function crossings(columns) {
  let number = 0;
  for (const [at, column] of columns.entries()) {
    const place = new Map((columns[at + 1] ?? []).map((point, index) => [point, index]));
    const ends = column.flatMap((point) => point.after.map((one) => place.get(one)).sort((a, b) => a - b));
    // Two edges cross where the one that begins higher ends lower; those that begin in one point never do, for they are sorted.
    for (let i = 0; i < ends.length; i++) for (let j = i + 1; j < ends.length; j++) if (ends[i] > ends[j]) number++;
  }
  return number;
}

/** The row of each point: as near to its neighbours as the order of its column allows. Rows begin with 0. */
function setRows(columns) {
  const row = new Map(columns.flatMap((column) => column.map((point, index) => [point, index])));
  for (let round = 0; round < 6; round++) {
    for (const column of round % 2 ? [...columns].reverse() : columns) {
      const wishes = column.map((point) => mean((round % 2 ? point.after : point.before).map((one) => row.get(one))) ?? row.get(point));
      spread(wishes, gaps(column)).forEach((place, index) => row.set(column[index], place));
    }
  }
  const top = Math.min(...row.values());
  return new Map([...row].map(([point, place]) => [point, place - top]));
}

/** How far below the one before it each point of a column has to stand: a passing arrow needs less room than a pipeline. */
const gaps = (column) =>
  column.map((point, index) => {
    const passing = [point, column[index - 1]].filter((one) => one?.edge).length;
    return index ? [1, 0.65, 0.3][passing] : 0;
  });

/** The places nearest to the wishes (least squares) that keep the order and the gaps: neighbours that collide become one block. */
function spread(wishes, gap) {
  const offset = [];
  gap.forEach((one, index) => offset.push(index ? offset[index - 1] + one : 0));
  const blocks = [];
  wishes.forEach((wish, index) => {
    let block = { sum: wish - offset[index], size: 1 };
    while (blocks.length && blocks.at(-1).sum / blocks.at(-1).size >= block.sum / block.size) {
      const before = blocks.pop();
      block = { sum: before.sum + block.sum, size: before.size + block.size };
    }
    blocks.push(block);
  });
  return blocks.flatMap((block) => Array(block.size).fill(block.sum / block.size)).map((base, index) => base + offset[index]);
}

const mean = (numbers) => (numbers.length ? numbers.reduce((a, b) => a + b, 0) / numbers.length : undefined);

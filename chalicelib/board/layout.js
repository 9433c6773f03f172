// Places the pipelines of the graph: columns lead from upstream to dependent, and rows are chosen
// so that arrows are short and seldom cross. Pure: layout() does not touch the page.
"use strict";

/**
 * Place pipelines. A row is as high as a pipeline.
 *
 * @param {string[]} names
 * @param {{from: string, to: string}[]} edges  between these names
 * @param {number} maxColumns  how many columns there is room for; small groups stand side by side
 * @returns {{places: Map<string, {column: number, row: number}>,
 *   ways: Map<object, {column: number, row: number}[]>, columns: number, rows: number}}
 *   `places`: the pipelines in reading order; `ways`: the points that an edge passes between its
 *   two ends
 */
function layout(names, edges, maxColumns = 1) {
  const places = new Map(),
    ways = new Map();
  let left = 0,
    top = 0,
    bottom = 0,
    columns = 0;
  for (const group of findGroups(names, edges)) {
    const sorted = sortColumns(buildColumns(group));
    const rows = findRows(sorted);
    if (left + sorted.length > maxColumns) {
      left = 0;
      top = bottom;
    }
    for (const point of sorted.flat()) {
      const place = { column: left + point.column, row: top + rows.get(point) };
      if (point.edge) ways.set(point.edge, [...(ways.get(point.edge) ?? []), place]);
      else places.set(point.name, place);
    }
    left += sorted.length;
    columns = Math.max(columns, left);
    bottom = Math.max(bottom, top + 1 + Math.max(...rows.values()));
  }
  return { places, ways, columns, rows: bottom };
}

/** Return the connected parts of the graph, each with its own edges, the largest first. */
function findGroups(names, edges) {
  const neighbours = new Map(names.map((name) => [name, []]));
  for (const { from, to } of edges) {
    neighbours.get(from).push(to);
    neighbours.get(to).push(from);
  }
  const visited = new Set(),
    groups = [];
  for (const name of names) {
    if (visited.has(name)) continue;
    const group = new Set([name]);
    for (const member of group)
      // the Set grows while it is read
      for (const neighbour of neighbours.get(member)) group.add(neighbour);
    for (const member of group) visited.add(member);
    groups.push({
      names: [...group].sort(),
      edges: edges.filter((edge) => group.has(edge.from)),
    });
  }
  return groups.sort(
    (a, b) => b.names.length - a.names.length || (a.names[0] < b.names[0] ? -1 : 1),
  );
}

/** Return the edges that close a circle if you follow the arrows. The columns ignore them. */
function findClosingEdges(names, edges) {
  const closing = new Set(),
    states = new Map();
  const follow = (name) => {
    states.set(name, "open");
    for (const edge of edges) {
      if (edge.from !== name) continue;
      if (states.get(edge.to) === "open") closing.add(edge);
      else if (!states.has(edge.to)) follow(edge.to);
    }
    states.set(name, "done");
  };
  const dependents = new Set(edges.map((edge) => edge.to));
  const starts = names.filter((name) => !dependents.has(name));
  for (const name of [...starts, ...names]) if (!states.has(name)) follow(name);
  return closing;
}

/**
 * Return the columns of a group, each a list of points.
 *
 * A pipeline is right of everything that it waits for. One that waits for nothing is directly left
 * of its nearest dependent. An edge that crosses columns has a point in each of them.
 */
function buildColumns({ names, edges }) {
  const closing = findClosingEdges(names, edges);
  const forward = edges.filter((edge) => !closing.has(edge));
  const numbers = numberColumns(names, forward);
  const columns = Array.from({ length: 1 + Math.max(...numbers.values()) }, () => []);
  const points = new Map();
  for (const name of names) {
    const point = { name, column: numbers.get(name), before: [], after: [] };
    points.set(name, point);
    columns[point.column].push(point);
  }
  for (const edge of forward) {
    const end = points.get(edge.to);
    let last = points.get(edge.from);
    for (let column = last.column + 1; column < end.column; column++) {
      const point = { edge, column, before: [], after: [] };
      columns[column].push(point);
      connect(last, point);
      last = point;
    }
    connect(last, end);
  }
  return columns;
}

function connect(left, right) {
  left.after.push(right);
  right.before.push(left);
}

/** Return the number of each pipeline's column. `edges`: without circles. */
function numberColumns(names, edges) {
  const numbers = new Map(names.map((name) => [name, 0]));
  for (let moved = true; moved;) {
    moved = false;
    for (const { from, to } of edges) {
      if (numbers.get(to) > numbers.get(from)) continue;
      numbers.set(to, numbers.get(from) + 1);
      moved = true;
    }
  }
  for (const name of names) {
    if (edges.some((edge) => edge.to === name)) continue;
    const dependents = edges.filter((edge) => edge.from === name);
    const nearest = Math.min(...dependents.map((edge) => numbers.get(edge.to)));
    if (Number.isFinite(nearest)) numbers.set(name, nearest - 1);
  }
  return numbers;
}

/**
 * Return the columns with their points sorted so that few edges cross.
 *
 * The points are sorted by the positions of their neighbours, from left to right and back, and the
 * best of several rounds is returned.
 */
function sortColumns(columns) {
  let best = columns.map((column) => [...column]),
    fewest = countCrossings(best);
  const current = columns.map((column) => [...column]);
  for (let round = 0; round < 8 && fewest > 0; round++) {
    const side = round % 2 ? "after" : "before";
    for (const column of round % 2 ? [...current].reverse() : current) {
      const positions = findPositions(current);
      const goals = new Map(
        column.map((point) => {
          const neighbours = point[side].map((neighbour) => positions.get(neighbour));
          return [point, mean(neighbours) ?? positions.get(point)];
        }),
      );
      column.sort((a, b) => goals.get(a) - goals.get(b));
    }
    const crossings = countCrossings(current);
    if (crossings < fewest) {
      fewest = crossings;
      best = current.map((column) => [...column]);
    }
  }
  return best;
}

/** Return the position of each point in its column. */
const findPositions = (columns) =>
  new Map(columns.flatMap((column) => column.map((point, position) => [point, position])));

function countCrossings(columns) {
  const positions = findPositions(columns);
  let crossings = 0;
  for (const column of columns) {
    const ends = column.flatMap((point) =>
      point.after.map((end) => positions.get(end)).sort((a, b) => a - b),
    );
    // Two edges cross if the one that begins higher ends lower. Those that begin at the same point
    // never cross, because their ends are sorted.
    for (let i = 0; i < ends.length; i++)
      for (let j = i + 1; j < ends.length; j++) if (ends[i] > ends[j]) crossings++;
  }
  return crossings;
}

/** Return the row of each point, as near to its neighbours' rows as the order of its column allows.
 * The first row is 0. */
function findRows(columns) {
  const rows = findPositions(columns);
  for (let round = 0; round < 6; round++) {
    const side = round % 2 ? "after" : "before";
    for (const column of round % 2 ? [...columns].reverse() : columns) {
      const goals = column.map((point) => {
        const neighbours = point[side].map((neighbour) => rows.get(neighbour));
        return mean(neighbours) ?? rows.get(point);
      });
      spread(goals, findGaps(column)).forEach((row, index) => rows.set(column[index], row));
    }
  }
  const top = Math.min(...rows.values());
  return new Map([...rows].map(([point, row]) => [point, row - top]));
}

/** Return how far each point of a column has to be below the one before it. An edge that passes
 * needs less room than a pipeline. */
const findGaps = (column) =>
  column.map((point, index) => {
    const passing = [point, column[index - 1]].filter((neighbour) => neighbour?.edge).length;
    return index ? [1, 0.65, 0.3][passing] : 0;
  });

/** Return the rows nearest to the goals (least squares) that keep the order and the gaps. Points
 * that would be too close together become a block. */
function spread(goals, gaps) {
  const offsets = [];
  gaps.forEach((gap, index) => offsets.push(index ? offsets[index - 1] + gap : 0));
  const blocks = [];
  goals.forEach((goal, index) => {
    let block = { sum: goal - offsets[index], size: 1 };
    while (blocks.length && blocks.at(-1).sum / blocks.at(-1).size >= block.sum / block.size) {
      const before = blocks.pop();
      block = { sum: before.sum + block.sum, size: before.size + block.size };
    }
    blocks.push(block);
  });
  return blocks
    .flatMap((block) => Array(block.size).fill(block.sum / block.size))
    .map((base, index) => base + offsets[index]);
}

const mean = (numbers) =>
  numbers.length ? numbers.reduce((a, b) => a + b, 0) / numbers.length : undefined;

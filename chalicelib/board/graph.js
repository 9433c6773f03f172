// Draws the pipelines as a list, which style.css shows as a graph if there is room, and the arrows.
"use strict";

/** Return a pipeline of the graph. `upstreams`: its upstreams, each with the edge between them. */
function makeNode({ pipeline, upstreams }) {
  const { id, name, state, execution, more } = pipeline;
  const where = pipeline.where && el("span", { class: "where" }, ` (${pipeline.where})`);
  const title = el("span", { class: "name", title: id }, link(name, pipeline.link), where);
  const names = upstreams.map(describeUpstream);
  return el(
    "li",
    { class: `node is-${state}` },
    el("h3", {}, icon(state), title),
    el("p", { class: "state" }, ...describeState(pipeline)),
    execution &&
      el(
        "p",
        { class: "execution" },
        executionLink(execution, name),
        more ? ` and ${more} more` : "",
      ),
    names.length ? el("p", { class: "after" }, `After ${joinNames(names)}`) : null,
  );
}

/** Return an upstream's name and what is special about its edge: "infra (must succeed)". */
function describeUpstream({ upstream, edge }) {
  const details = [
    edge.stage && `its stage ${edge.stage}`,
    edge.must_succeed && "must succeed",
    edge.holds && "holds it now",
  ].filter(Boolean);
  return details.length ? `${upstream.name} (${details.join(", ")})` : upstream.name;
}

/** The sizes of the graph in CSS pixels, which style.css repeats: a node's, and those of the gaps
 * between two columns and between two rows. */
const NODE = { width: 216, height: 104, across: 52, down: 18 };

const xOf = (place) => place.column * (NODE.width + NODE.across);
const yOf = (place) => place.row * (NODE.height + NODE.down);

/** Draw the nodes and the edges. `edges`: those between these pipelines; `width`: how many CSS
 * pixels wide the graph may be. */
function drawGraph(pipelines, edges, width) {
  const columns = Math.max(1, Math.floor((width + NODE.across) / (NODE.width + NODE.across)));
  const ids = pipelines.map((pipeline) => pipeline.id);
  const plan = layout(ids, edges, columns);
  drawNodes(pipelines, edges, plan);
  const graphWidth = plan.columns * (NODE.width + NODE.across) - NODE.across;
  const graphHeight = plan.rows * (NODE.height + NODE.down);
  $("graph").style.setProperty("--width", `${Math.max(0, graphWidth)}px`);
  $("graph").style.setProperty("--height", `${graphHeight}px`);
  const viewBox = `0 0 ${Math.max(1, graphWidth)} ${Math.max(1, graphHeight)}`;
  $("edges").setAttribute("viewBox", viewBox);
  const holdingLast = [...edges].sort((a, b) => a.holds - b.holds);
  const arrows = holdingLast.map((edge) => makeArrow(findLine(edge, plan), edge));
  $("edges").replaceChildren(...arrows.flat());
}

function drawNodes(pipelines, edges, plan) {
  const items = [...plan.places.keys()].map((id) => ({
    key: id,
    pipeline: pipelines.find((pipeline) => pipeline.id === id),
    upstreams: findUpstreams(id, pipelines, edges),
  }));
  showItems($("nodes"), items, makeNode, $("pipelines"));
  for (const child of $("nodes").children) {
    const place = plan.places.get(child.dataset.key);
    child.style.setProperty("--x", `${xOf(place)}px`);
    child.style.setProperty("--y", `${yOf(place)}px`);
  }
}

/** Return the points [x, y] of an edge: from the upstream, past the nodes between, to the
 * dependent. */
function findLine(edge, plan) {
  const [from, to] = [plan.places.get(edge.from), plan.places.get(edge.to)];
  const middle = (place) => yOf(place) + NODE.height / 2;
  const passed = plan.ways.get(edge) ?? [];
  return [
    [xOf(from) + NODE.width, middle(from)],
    ...passed.flatMap((place) => [
      [xOf(place), middle(place)],
      [xOf(place) + NODE.width, middle(place)],
    ]),
    [xOf(to) - 9, middle(to)],
  ];
}

/** Return the line and the tip of an arrow through these points. An arrow whose end is left of its
 * start closes a circle: it bends back below the nodes. */
function makeArrow(points, edge) {
  const [[, startY]] = points,
    [endX, endY] = points.at(-1);
  const parts = points.slice(1).map(([x, y], index) => {
    const [lastX, lastY] = points[index];
    const middleX = (lastX + x) / 2;
    if (x <= lastX) {
      const low = Math.max(startY, endY) + NODE.height / 2 + NODE.down / 2;
      const down = `C ${lastX + 60} ${lastY} ${lastX + 30} ${low} ${middleX} ${low}`;
      return `${down} S ${x - 60} ${y} ${x} ${y}`;
    }
    return y === lastY ? `H ${x}` : `C ${middleX} ${lastY} ${middleX} ${y} ${x} ${y}`;
  });
  const classes = ["edge", edge.holds && "holds", edge.must_succeed && "must"];
  const kind = classes.filter(Boolean).join(" ");
  return [
    svg("path", { class: kind, d: `M ${points[0].join(" ")} ${parts.join(" ")}` }),
    svg("path", { class: `${kind} tip`, d: `M ${endX - 1} ${endY - 5} l 9 5 l -9 5 z` }),
  ];
}

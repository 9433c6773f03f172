// Draws the pipelines: a list, which style.css lays out as a graph where there is room, and the arrows between them.
"use strict";

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

/** The sizes of the graph, in CSS pixels: they are style.css's, too. */
const NODE = { width: 216, height: 104, across: 52, down: 18 };

/** Put the nodes and draw the edges. `shown`: pipelines with their edges; `wide`: the pixels that there are. */
function drawGraph(shown, edges, wide) {
  const columns = Math.max(1, Math.floor((wide + NODE.across) / (NODE.width + NODE.across)));
  const at = layout(
    shown.map((one) => one.id),
    edges,
    columns,
  );
  const x = (place) => place.column * (NODE.width + NODE.across);
  const y = (place) => place.row * (NODE.height + NODE.down);
  const items = [...at.places.keys()].map((id) => ({
    key: id,
    pipeline: shown.find((one) => one.id === id),
    upstreams: upstreamsOf(id, shown, edges),
  }));
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
  const [[, startY]] = points,
    [endX, endY] = points.at(-1);
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

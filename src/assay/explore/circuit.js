// The page of one circuit: its nodes and signed edges, and for a chosen node its weights and the examples it differs most on.

const SHOWN = 12; // examples of a node
const ROW = 22;
const SPACE = "http://www.w3.org/2000/svg";

const given = JSON.parse(document.getElementById("circuit").textContent);

function drawn(tag, attributes = {}, ...children) {
  const made = document.createElementNS(SPACE, tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.append(...children);
  return made;
}

function element(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.append(...children);
  return made;
}

function told(value) {
  return value.toPrecision(3).replace(/^(-?)0\./, "$1.").replace("-", "\u2212");
}

// Places from left to right, the units of each from top to bottom. Names of places are broken at their dots, so that the places
// of two blocks stand beside one another on a screen.
const headings = [...new Set(given.nodes.map((node) => node.place))].map((place) => place.split(/\.(?=\D)/));
const COLUMN = 14 + 6 * Math.max(...headings.flat().map((part) => part.length));
const TOP = 20 + 15 * Math.max(...headings.map((parts) => parts.length));
const LEFT = COLUMN / 2;
const places = new Map();
for (const node of given.nodes) {
  const column = [...new Set(given.nodes.map((other) => other.place))].indexOf(node.place);
  const row = places.get(node.place) ?? 0;
  places.set(node.place, row + 1);
  node.x = LEFT + column * COLUMN;
  node.y = TOP + 20 + row * ROW;
}
const height = TOP + 40 + ROW * Math.max(1, ...places.values());
const width = 2 * LEFT + COLUMN * Math.max(0, places.size - 1);
const largest = Math.max(...given.edges.map((edge) => Math.abs(edge.weight)), 1e-12);

const svg = drawn("svg", { viewBox: `0 0 ${width} ${height}`, width, height, role: "group", "aria-label": "the circuit" });
const lines = given.edges.map((edge) => {
  const [from, to] = [given.nodes[edge.from], given.nodes[edge.to]];
  const share = Math.abs(edge.weight) / largest;
  return drawn(
    "line",
    {
      x1: from.x, y1: from.y, x2: to.x, y2: to.y, "stroke-width": 0.5 + 4 * share,
      class: edge.weight >= 0 ? "positive" : "negative",
    },
    drawn("title", {}, `${from.name} \u2192 ${to.name}: ${told(edge.weight)}`),
  );
});
svg.append(...lines);
headings.forEach((parts, column) => {
  const x = LEFT + COLUMN * column;
  const rows = parts.map((part, row) => drawn("tspan", { x, y: 20 + 15 * row }, part));
  svg.append(drawn("text", { class: "place", "text-anchor": "middle" }, ...rows));
});
const marks = given.nodes.map((node, number) => {
  const mark = drawn(
    "g",
    { class: "node", tabindex: "0", role: "button", "aria-label": node.name },
    drawn("circle", { cx: node.x, cy: node.y, r: 7 }),
    drawn("text", { x: node.x + 10, y: node.y + 4 }, node.label),
  );
  mark.addEventListener("click", () => choose(number));
  mark.addEventListener("keydown", (event) => {
    if (event.key === "Enter") choose(number);
  });
  return mark;
});
svg.append(...marks);
document.getElementById("graph").append(svg);

function weightsOf(number) {
  const list = element("ul", { class: "weights" });
  const own = given.edges.filter((edge) => edge.from === number || edge.to === number);
  own.sort((a, b) => Math.abs(b.weight) - Math.abs(a.weight));
  for (const edge of own) {
    const other = edge.from === number ? `to ${given.nodes[edge.to].name}` : `from ${given.nodes[edge.from].name}`;
    list.append(element("li", {}, `${told(edge.weight)} ${other}`));
  }
  return list;
}

// Of every example how far the node goes from its mean, at the position where that is furthest.
function furthest(node) {
  const far = node.states.map((row) => row.reduce((a, b) => (Math.abs(b - node.mean) > Math.abs(a - node.mean) ? b : a)));
  const order = far.map((value, example) => [Math.abs(value - node.mean), example]);
  order.sort((a, b) => b[0] - a[0] || a[1] - b[1]);
  return order.slice(0, SHOWN).map(([, example]) => example);
}

function shownExample(node, example) {
  const row = element("div", { class: "example" }, element("b", {}, given.examples[example].answer));
  const values = node.states[example];
  const size = Math.max(...node.states.flat().map((value) => Math.abs(value - node.mean)), 1e-12);
  const tokens = given.examples[example].tokens;
  tokens.forEach((token, position) => {
    // A node that has one value for the whole example shades all of its tokens.
    const value = values[values.length === tokens.length ? position : 0];
    const share = (value - node.mean) / size;
    const colour = share >= 0 ? `rgba(31, 111, 180, ${0.7 * share})` : `rgba(190, 90, 20, ${-0.7 * share})`;
    row.append(element("span", { style: `background: ${colour}`, title: told(value) }, token));
  });
  return row;
}

function choose(number) {
  const node = given.nodes[number];
  marks.forEach((mark, other) => mark.classList.toggle("chosen", other === number));
  lines.forEach((line, edge) => {
    const own = given.edges[edge].from === number || given.edges[edge].to === number;
    line.classList.toggle("dim", !own);
  });
  const detail = document.getElementById("detail");
  detail.replaceChildren(element("h2", {}, node.name), weightsOf(number));
  if (node.states) {
    detail.append(element("p", { class: "small quiet" }, `Its mean is ${told(node.mean)}. Examples that it is furthest from it on:`));
    detail.append(...furthest(node).map((example) => shownExample(node, example)));
  }
}

// The page: each network with its picture, sliders on weights, and the maps of its units.

const FRAME = 50; // milliseconds: beyond, a slower way of drawing takes fewer pixels while a slider moves
const MAP = 32; // pixels along a side of a map
const GAP = 2;
const LIVE = 0.05; // of the largest response: below, a weight is not called coherent or incoherent
const TOGETHER = 4; // sliders that a button sets out
const STEPS = 9; // pictures of a sweep

const given = JSON.parse(document.getElementById("networks").textContent);
const painter = new Painter(given.size);

function element(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name in made && typeof value !== "string") made[name] = value;
    else made.setAttribute(name, value);
  }
  made.append(...children);
  return made;
}

function told(value, digits = 3) {
  if (value === 0) return "0";
  return Number.isFinite(value) ? value.toPrecision(digits).replace(/^(-?)0\./, "$1.").replace("-", "\u2212") : "undefined";
}

function share(value) {
  return Number.isFinite(value) ? value.toFixed(2).replace(/^0/, "") : "undefined";
}

class Shown {
  constructor(given, number, size) {
    this.given = given;
    this.size = size;
    this.network = new Network(given);
    for (const name of ["response", "kept", "low", "mean", "high"]) this[name] = given[name].map(floats);
    this.all = this.weightsBySize();
    this.dirty = Infinity;
    this.build(number);
  }

  weightsBySize() {
    const found = [];
    this.response.forEach((matrix, layer) => {
      const wide = this.network.sizes[layer];
      matrix.forEach((size, place) => {
        if (size > 0) found.push({ layer, to: Math.floor(place / wide), from: place % wide });
      });
    });
    return found.sort((a, b) => this.sizeOf(b) - this.sizeOf(a));
  }
  of(table, weight) {
    return this[table][weight.layer][this.network.place(weight)];
  }
  sizeOf(weight) {
    return this.of("response", weight);
  }
  // Weights that may be set out: of several that move the picture alike, as those that hand one value on, the first.
  offered() {
    const alike = (weight) => `${this.sizeOf(weight).toPrecision(5)} ${this.of("kept", weight).toPrecision(5)}`;
    const seen = new Set();
    const linked = this.all.filter((weight) => !this.links.checked || this.network.original[weight.layer][this.network.place(weight)] !== 0);
    return linked.filter((weight) => !seen.has(alike(weight)) && seen.add(alike(weight)));
  }
  live() {
    const offered = this.offered();
    return offered.filter((weight) => this.sizeOf(weight) >= LIVE * this.sizeOf(offered[0]));
  }
  unitName(layer, unit) {
    if (layer === 0) return given.inputs[unit];
    if (layer === this.network.depth()) return given.outputs[unit];
    const kind = this.network.kinds[unit];
    return `${kind} ${unit - this.network.kinds.indexOf(kind) + 1}`;
  }
  nameOf(weight) {
    const [to, from] = [this.unitName(weight.layer + 1, weight.to), this.unitName(weight.layer, weight.from)];
    return `layer ${weight.layer + 1}: ${from} \u2192 ${to}`;
  }

  // The page

  build(number) {
    const canvas = (label) => element("canvas", { width: this.size, height: this.size, role: "img", "aria-label": label });
    this.picture = canvas(`The picture of ${this.given.name}, as it is now`);
    this.before = canvas(`The picture of ${this.given.name}, as it was given`);
    this.sliders = element("div", { class: "sliders" });
    this.strips = element("div", { class: "strips" });
    this.speed = element("span", { class: "speed" });
    this.maps = element("canvas", { role: "img", "aria-label": "Maps of all units; choose a unit to move what enters it" });
    this.pointed = element("p", { class: "small quiet pointed", "aria-live": "polite" }, "Point at a map to see which unit it is; click it to move its weights.");
    const button = (text, choose) => {
      const made = element("button", { type: "button" }, text);
      made.addEventListener("click", () => this.show(choose()));
      return made;
    };
    const reset = element("button", { type: "button", class: "reset" }, "Reset");
    reset.addEventListener("click", () => this.reset());
    const byShare = (sign) => () => this.live().sort((a, b) => sign * (this.of("kept", b) - this.of("kept", a)));
    const buttons = element("div", { class: "buttons" }, button("Most coherent", byShare(1)), button("Least coherent", byShare(-1)), button("Strongest", () => this.offered()), reset);
    const sparse = this.network.original.some((matrix) => matrix.some((value) => value === 0));
    this.links = element("input", { type: "checkbox", checked: sparse });
    if (sparse) buttons.append(element("label", { class: "small" }, this.links, " only weights that are not 0"));
    const pictures = element(
      "div", { class: "pictures" },
      element("figure", {}, this.picture, element("figcaption", {}, "now ", this.speed)),
      element("figure", { class: "given" }, this.before, element("figcaption", {}, "as given")),
    );
    this.article = element(
      "article", { id: `network-${number}` },
      element("h2", {}, this.given.name), this.summary(), pictures, buttons, this.sliders, this.unitChoice(), this.strips,
      element("h3", {}, "Maps of all units"), element("div", { class: "maps" }, this.maps), this.pointed,
    );
    document.getElementById("shown").append(this.article);
    this.draw();
    this.before.getContext("2d").drawImage(this.picture, 0, 0);
    this.listenToMaps();
    this.drawMaps();
    this.show(byShare(1)());
  }

  summary() {
    const { whole, interval, copies, picture } = this.given;
    if (whole === null) return element("p", { class: "small" }, "No weight moves this picture, so that coherence is undefined.");
    const range = copies.length ? `${share(mean(copies))} (${share(Math.min(...copies))} to ${share(Math.max(...copies))})` : "undefined";
    const bounds = interval ? ` [${share(interval[0])}, ${share(interval[1])}]` : "";
    return element(
      "p", { class: "small summary" }, "Of what its weights can change, ", element("b", {}, `${share(whole)}${bounds}`),
      ` respects the flip; untrained copies ${range}; the picture itself ${share(picture)}.`,
    );
  }

  unitChoice() {
    const select = element("select", { "aria-label": `A unit of ${this.given.name} whose weights are to be moved` }, element("option", { value: "" }, "Weights into a unit\u2026"));
    const seen = new Set(this.all.map((weight) => `${weight.layer},${weight.to}`));
    const ordered = [...seen].map((text) => text.split(",").map(Number)).sort((a, b) => a[0] - b[0] || a[1] - b[1]);
    for (const [layer, to] of ordered) select.append(element("option", { value: `${layer},${to}` }, `layer ${layer + 1}: ${this.unitName(layer + 1, to)}`));
    select.addEventListener("change", () => select.value && this.showUnit(...select.value.split(",").map(Number)));
    return element("div", { class: "unit" }, select);
  }

  showUnit(layer, to) {
    this.show(this.offered().filter((weight) => weight.layer === layer && weight.to === to));
  }

  show(weights) {
    this.sliders.replaceChildren(...weights.slice(0, TOGETHER).map((weight) => this.slider(weight)));
    if (!weights.length) this.sliders.append(element("p", { class: "small quiet" }, "No weight here moves the picture."));
  }

  slider(weight) {
    const original = this.network.original[weight.layer][this.network.place(weight)];
    const reach = Math.max(1, Math.abs(original));
    const [low, high] = [original - reach, original + reach];
    const input = element("input", { type: "range", min: String(low), max: String(high), step: String(reach / 200), "aria-label": this.nameOf(weight) });
    input.value = String(this.network.get(weight));
    input.weight = weight;
    const output = element("output", {}, told(this.network.get(weight)));
    input.addEventListener("input", () => {
      output.textContent = told(Number(input.value));
      this.move(weight, Number(input.value));
    });
    input.addEventListener("change", () => this.settle());
    const sweep = element("button", { type: "button", class: "sweep" }, "Sweep");
    sweep.addEventListener("click", () => this.sweep(weight, low, high));
    const nulls = [this.of("mean", weight), this.of("low", weight), this.of("high", weight)].map(share);
    const facts = element(
      "span", { class: "facts-of-weight" }, "response ", element("b", {}, told(this.sizeOf(weight))), ", coherent ", element("b", {}, share(this.of("kept", weight))),
      `; the same weight in untrained copies ${nulls[0]} (${nulls[1]} to ${nulls[2]})`,
    );
    return element("div", { class: "slider" }, element("div", { class: "head" }, element("span", {}, this.nameOf(weight)), output), input, element("div", { class: "foot" }, facts, sweep));
  }

  // Moving

  move(weight, value) {
    this.network.set(weight, value);
    this.dirty = Math.min(this.dirty, weight.layer);
    if (this.waiting) return;
    this.waiting = requestAnimationFrame(() => {
      this.waiting = 0;
      this.frame();
    });
  }
  frame() {
    const { way, time } = this.draw(this.fitting(), this.dirty);
    this.speed.textContent = `${way}, ${time.toFixed(0)} ms`;
    this.speed.title = "the time of the last frame";
    this.dirty = Infinity;
    clearTimeout(this.later);
    this.later = setTimeout(() => this.settle(), 120);
  }
  // Fewer pixels where a frame would take too long; all of them once the slider rests.
  fitting() {
    let size = this.size;
    for (let time = painter.times.get(this.network)?.[painter.way(this.network)] ?? 0; time > FRAME && size > 32; time /= 4) size /= 2;
    return Math.round(size);
  }
  settle() {
    if (this.waiting) return;
    clearTimeout(this.later);
    if (this.small) this.draw();
    this.drawMaps();
  }
  draw(size = this.size, layer = 0) {
    this.small = size < this.size;
    const canvas = this.small ? element("canvas", { width: size, height: size }) : this.picture;
    const found = painter.paint(this.network, canvas, layer);
    if (this.small) this.picture.getContext("2d").drawImage(canvas, 0, 0, this.size, this.size);
    return found;
  }
  reset() {
    this.network.weights = this.network.original.map((matrix) => matrix.slice());
    painter.stale(this.network, 0);
    for (const input of this.sliders.querySelectorAll("input")) {
      input.value = String(this.network.get(input.weight));
      input.parentElement.querySelector("output").textContent = told(Number(input.value));
    }
    this.dirty = Infinity;
    this.draw();
    this.settle();
  }

  // One picture for each of some values of a weight, side by side, to be looked at and saved.
  sweep(weight, low, high) {
    const now = this.network.get(weight);
    const label = 18;
    const strip = element("canvas", { width: STEPS * (this.size + GAP) - GAP, height: this.size + label });
    const context = strip.getContext("2d");
    context.fillStyle = "#fff";
    context.fillRect(0, 0, strip.width, strip.height);
    context.fillStyle = "#000";
    context.font = "12px sans-serif";
    context.textAlign = "center";
    const one = element("canvas", { width: this.size, height: this.size });
    for (let k = 0; k < STEPS; k++) {
      const value = low + (k * (high - low)) / (STEPS - 1);
      this.network.set(weight, value);
      painter.paint(this.network, one, weight.layer);
      context.drawImage(one, k * (this.size + GAP), 0);
      context.fillText(told(value), k * (this.size + GAP) + this.size / 2, this.size + 13);
    }
    this.network.set(weight, now);
    painter.stale(this.network, weight.layer);
    const image = strip.toDataURL("image/png");
    const name = `${this.given.name} ${this.nameOf(weight)}`;
    const link = element("a", { href: image, download: `${name.replace(/[^\w]+/g, "-")}.png` }, "Save this sweep");
    this.strips.replaceChildren(
      element("figure", {}, element("img", { src: image, alt: `Sweep of ${this.nameOf(weight)}` }), element("figcaption", {}, `${this.nameOf(weight)}, ${STEPS} values. `, link)),
    );
  }

  // Maps: a row for each layer, black at -1 and white at 1.

  drawMaps() {
    const grid = painter.grid(this.network, MAP);
    const [wide, high] = [this.network.kinds.length, this.network.depth()];
    const cell = MAP + GAP;
    if (this.maps.width !== wide * cell) [this.maps.width, this.maps.height] = [wide * cell, high * cell];
    const context = this.maps.getContext("2d");
    context.clearRect(0, 0, this.maps.width, this.maps.height);
    const image = new ImageData(MAP, MAP);
    for (let layer = 0; layer < high; layer++) {
      for (let unit = 0; unit < this.network.sizes[layer]; unit++) {
        const values = grid.unit(layer, unit);
        if (values.every((value) => value === values[0]) && layer > 0) continue; // holds nothing
        values.forEach((value, p) => {
          const grey = 127.5 * (1 + Math.max(-1, Math.min(1, value)));
          image.data.set([grey, grey, grey, 255], 4 * p);
        });
        context.putImageData(image, unit * cell, layer * cell);
      }
    }
  }
  listenToMaps() {
    const at = (event) => {
      const box = this.maps.getBoundingClientRect();
      const layer = Math.floor(((event.clientY - box.top) / box.height) * this.network.depth());
      const unit = Math.floor(((event.clientX - box.left) / box.width) * this.network.kinds.length);
      return layer >= 0 && unit >= 0 && unit < this.network.sizes[layer] ? [layer, unit] : null;
    };
    this.maps.addEventListener("mousemove", (event) => {
      const found = at(event);
      if (found) this.pointed.textContent = `${found[0] ? `layer ${found[0]}` : "input"}: ${this.unitName(...found)}`;
    });
    this.maps.addEventListener("click", (event) => {
      const found = at(event);
      if (found && found[0] > 0) this.showUnit(found[0] - 1, found[1]);
    });
  }
}

function mean(values) {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

const shown = given.networks.map((network, number) => new Shown(network, number, given.size));
const choice = document.getElementById("way");
choice.addEventListener("change", () => {
  painter.choice = choice.value;
  for (const one of shown) one.frame();
});

"use strict";
// Pattern-producing networks on a grid of pixels: in plain JavaScript, which keeps what every unit holds, in WebAssembly
// (compiled.js) and in WebGL, which draw the picture alone. All compute what `assay.models.cppn.Cppn` computes, in 32 bits.

const ACTIVATIONS = {
  identity: { script: null, shader: "x" },
  cos: { script: Math.cos, shader: "cos(x)" },
  gaussian: { script: (x) => 2 * Math.exp(-x * x) - 1, shader: "2.0 * exp(-x * x) - 1.0" },
  sigmoid: { script: (x) => 2 / (1 + Math.exp(-x)) - 1, shader: "2.0 / (1.0 + exp(-x)) - 1.0" },
  sin: { script: Math.sin, shader: "sin(x)" },
  tanh: { script: Math.tanh, shader: "tanh(clamp(x, -20.0, 20.0))" },
};
const QUICK = 16; // milliseconds: a frame without WebGL that takes no longer is good enough
const CHUNK = 1024; // pixels that are computed together, so that what they need stays near the processor

function floats(text) {
  return new Float32Array(Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0)).buffer);
}

// A network: `sizes` of its layers, the activation of every hidden unit, and one matrix of weights a layer, row by row.
class Network {
  constructor(given) {
    this.sizes = given.sizes;
    this.kinds = given.kinds.flatMap(([kind, count]) => Array(count).fill(kind));
    this.weights = given.weights.map(floats);
    this.original = this.weights.map((matrix) => matrix.slice());
  }
  depth() {
    return this.weights.length;
  }
  place(weight) {
    return weight.to * this.sizes[weight.layer] + weight.from;
  }
  get(weight) {
    return this.weights[weight.layer][this.place(weight)];
  }
  set(weight, value) {
    this.weights[weight.layer][this.place(weight)] = value;
  }
}

// x, y, 1.4 times the distance from the middle, and 1 of every pixel, row by row.
function coordinatesOf(size) {
  const found = [0, 1, 2, 3].map(() => new Float32Array(size * size));
  for (let p = 0; p < size * size; p++) {
    const x = size > 1 ? -1 + (2 * (p % size)) / (size - 1) : 0;
    const y = size > 1 ? -1 + (2 * Math.floor(p / size)) / (size - 1) : 0;
    [x, y, 1.4 * Math.sqrt(x * x + y * y), 1].forEach((value, unit) => (found[unit][p] = value));
  }
  return found;
}

// Red, green, blue and 255 of every pixel, from its hue, saturation and brightness; `place`: where unit k of a pixel lies.
function colours(values, num, place) {
  const found = new Uint8ClampedArray(4 * num);
  for (let p = 0; p < num; p++) {
    const hue = values[place(p, 0)];
    const s = Math.min(1, Math.max(0, values[place(p, 1)]));
    const v = Math.min(1, Math.abs(values[place(p, 2)]));
    const h = 6 * (hue - Math.floor(hue));
    for (let c = 0; c < 3; c++) {
      const turned = 5 - 2 * c + h;
      const k = turned < 6 ? turned : turned - 6;
      found[4 * p + c] = 255 * v * (1 - s * Math.min(1, Math.max(0, Math.min(k, 4 - k))));
    }
    found[4 * p + 3] = 255;
  }
  return found;
}

// What every unit of a network holds at the pixels of a square picture, layer by layer.
class PixelGrid {
  constructor(network, size) {
    this.network = network;
    this.size = size;
    const num = size * size;
    this.values = network.sizes.map((width) => new Float32Array(width * num));
    coordinatesOf(size).forEach((values, unit) => this.unit(0, unit).set(values));
    this.run(0);
  }
  // Compute again what lies behind a layer of weights.
  run(layer) {
    for (let depth = layer; depth < this.network.depth(); depth++) this.step(depth);
  }
  step(depth) {
    const num = this.size * this.size;
    const wide = this.network.sizes[depth];
    const [before, after, weights] = [this.values[depth], this.values[depth + 1], this.network.weights[depth]];
    const last = depth === this.network.depth() - 1;
    for (let start = 0; start < num; start += CHUNK) {
      const stop = Math.min(num, start + CHUNK);
      for (let unit = 0; unit < this.network.sizes[depth + 1]; unit++) {
        const sum = after.subarray(unit * num + start, unit * num + stop).fill(0);
        const used = [];
        for (let from = 0; from < wide; from++) if (weights[unit * wide + from] !== 0) used.push(from);
        for (let k = 0; k < used.length; k += 4) addFour(sum, before, weights, used.slice(k, k + 4), unit * wide, num, start);
        const activation = last ? null : ACTIVATIONS[this.network.kinds[unit]].script;
        if (activation) for (let p = 0; p < sum.length; p++) sum[p] = activation(sum[p]);
      }
    }
  }
  unit(layer, unit) {
    const num = this.size * this.size;
    return this.values[layer].subarray(unit * num, (unit + 1) * num);
  }
  pixels() {
    const num = this.size * this.size;
    return colours(this.values.at(-1), num, (p, unit) => unit * num + p);
  }
}

// Four rows at once, so that a sum is read and written a quarter as often.
function addFour(sum, before, weights, used, row, num, start) {
  const at = (k) => [used[k] === undefined ? 0 : weights[row + used[k]], (used[k] ?? used[0]) * num + start];
  const [[a, i], [b, j], [c, k], [d, l]] = [at(0), at(1), at(2), at(3)];
  const many = sum.length;
  if (used.length === 1) for (let p = 0; p < many; p++) sum[p] += a * before[i + p];
  else for (let p = 0; p < many; p++) sum[p] += a * before[i + p] + b * before[j + p] + c * before[k + p] + d * before[l + p];
}

// One context for all networks of the page, since browsers allow few. The shape of a network is compiled once; its weights lie in a
// texture, so that moving one compiles nothing.
class Shaders {
  constructor() {
    this.canvas = document.createElement("canvas");
    this.gl = this.canvas.getContext("webgl2", { antialias: false, preserveDrawingBuffer: true });
    this.lost = !this.gl;
    const names = this.gl?.getExtension("WEBGL_debug_renderer_info");
    const renderer = names ? String(this.gl.getParameter(names.UNMASKED_RENDERER_WEBGL)) : "";
    this.software = /swiftshader|llvmpipe|software|basic render/i.test(renderer); // compiles for seconds, and draws no faster
    this.canvas.addEventListener("webglcontextlost", () => (this.lost = true));
    this.programs = new Map();
    this.textures = new Map();
  }
  // Draws a picture, and returns the canvas that holds it; null where it cannot.
  draw(network, size) {
    if (this.lost) return null;
    const gl = this.gl;
    const program = this.program(network);
    if (!program) return null;
    if (this.canvas.width !== size) [this.canvas.width, this.canvas.height] = [size, size];
    gl.viewport(0, 0, size, size);
    gl.useProgram(program);
    gl.bindTexture(gl.TEXTURE_2D, this.texture(network));
    gl.uniform1f(gl.getUniformLocation(program, "size"), size);
    gl.drawArrays(gl.TRIANGLES, 0, 3);
    return gl.isContextLost() ? null : this.canvas;
  }
  program(network) {
    const key = JSON.stringify([network.sizes, network.kinds]);
    if (!this.programs.has(key)) this.programs.set(key, this.compiled(network));
    return this.programs.get(key);
  }
  compiled(network) {
    const gl = this.gl;
    const program = gl.createProgram();
    const corners = "#version 300 es\nvoid main() { gl_Position = vec4(ivec2(gl_VertexID & 1, gl_VertexID >> 1) * 4 - 1, 0, 1); }";
    for (const [kind, source] of [[gl.VERTEX_SHADER, corners], [gl.FRAGMENT_SHADER, shader(network)]]) {
      const part = gl.createShader(kind);
      gl.shaderSource(part, source);
      gl.compileShader(part);
      gl.attachShader(program, part);
    }
    gl.linkProgram(program);
    return gl.getProgramParameter(program, gl.LINK_STATUS) ? program : null;
  }
  // Rows of four weights a texel, each layer padded to the units of a hidden one.
  texture(network) {
    const gl = this.gl;
    const wide = Math.ceil(network.kinds.length / 4);
    const high = 4 * wide * (network.depth() - 1) + 4;
    const table = new Float32Array(16 * wide * wide * (network.depth() - 1) + 16 * wide);
    network.weights.forEach((matrix, layer) => {
      const [inside, units] = [network.sizes[layer], network.sizes[layer + 1]];
      for (let unit = 0; unit < units; unit++) {
        table.set(matrix.subarray(unit * inside, (unit + 1) * inside), 4 * wide * (4 * wide * layer + unit));
      }
    });
    if (!this.textures.has(network)) {
      this.textures.set(network, gl.createTexture());
      gl.bindTexture(gl.TEXTURE_2D, this.textures.get(network));
      for (const filter of [gl.TEXTURE_MIN_FILTER, gl.TEXTURE_MAG_FILTER]) gl.texParameteri(gl.TEXTURE_2D, filter, gl.NEAREST);
    }
    gl.bindTexture(gl.TEXTURE_2D, this.textures.get(network));
    gl.texImage2D(gl.TEXTURE_2D, 0, gl.RGBA32F, wide, high, 0, gl.RGBA, gl.FLOAT, table);
    return this.textures.get(network);
  }
}

function shader(network) {
  const wide = Math.ceil(network.kinds.length / 4);
  const activate = network.kinds
    .map((kind, unit) => [kind, `b[${unit >> 2}].${"xyzw"[unit & 3]}`])
    .filter(([kind]) => kind !== "identity")
    .map(([kind, place]) => `x = ${place}; ${place} = ${ACTIVATIONS[kind].shader};`);
  return `#version 300 es
precision highp float;
precision highp int;
precision highp sampler2D;
uniform sampler2D weights;
uniform float size;
out vec4 colour;
vec4 a[${wide}], b[${wide}];
float row(int y, int wide) {
  float sum = 0.0;
  for (int k = 0; k < wide; k++) sum += dot(texelFetch(weights, ivec2(k, y), 0), a[k]);
  return sum;
}
void main() {
  vec2 place = floor(gl_FragCoord.xy);
  vec2 at = size > 1.0 ? 2.0 * vec2(place.x, size - 1.0 - place.y) / (size - 1.0) - 1.0 : vec2(0);
  a[0] = vec4(at, 1.4 * length(at), 1);
  float x;
  for (int layer = 0; layer < ${network.depth() - 1}; layer++) {
    int inside = layer == 0 ? 1 : ${wide};
    for (int k = 0; k < ${wide}; k++) {
      int y = ${4 * wide} * layer + 4 * k;
      b[k] = vec4(row(y, inside), row(y + 1, inside), row(y + 2, inside), row(y + 3, inside));
    }
    ${activate.join("\n    ")}
    a = b;
  }
  int y = ${4 * wide * (network.depth() - 1)};
  vec3 hsv = vec3(row(y, ${wide}), row(y + 1, ${wide}), row(y + 2, ${wide}));
  vec3 k = mod(vec3(5, 3, 1) + 6.0 * fract(hsv.x), 6.0);
  colour = vec4(min(abs(hsv.z), 1.0) * (1.0 - clamp(hsv.y, 0.0, 1.0) * clamp(min(k, 4.0 - k), 0.0, 1.0)), 1);
}`;
}

// Draws the pictures of networks by whichever is faster, or by the one that is chosen.
class Painter {
  constructor(size) {
    this.size = size;
    this.choice = "fastest";
    this.shaders = new Shaders();
    this.grids = new Map(); // by network; then by way and size
    this.times = new Map();
  }
  // Without WebGL as long as that is quick or nothing else is at hand; then whichever took less time.
  way(network) {
    const compiled = moduleOf(network.kinds) ? "WebAssembly" : "JavaScript";
    if (this.choice === "JavaScript") return this.choice;
    if (this.shaders.lost || this.choice === "WebAssembly") return compiled;
    if (this.choice === "WebGL") return this.choice;
    const times = this.times.get(network) ?? {};
    if (this.shaders.software || !(times[compiled] > QUICK)) return compiled;
    return !(times.WebGL > times[compiled]) ? "WebGL" : compiled;
  }
  // Paints a network onto a square canvas. `layer`: the first whose weights may have changed since the last time.
  paint(network, canvas, layer = 0) {
    const way = this.way(network);
    const [size, context] = [canvas.width, canvas.getContext("2d", { willReadFrequently: true })];
    if (way === "WebGL" && this.times.get(network)?.WebGL === undefined) this.shaders.draw(network, size); // compiles
    const start = performance.now();
    if (way === "WebGL") {
      const drawn = this.shaders.draw(network, size);
      if (!drawn) {
        this.shaders.lost = true;
        return this.paint(network, canvas, 0);
      }
      this.stale(network, layer);
      context.drawImage(drawn, 0, 0);
      context.getImageData(0, 0, 1, 1); // waits until it is drawn
    } else {
      this.stale(network, layer);
      context.putImageData(new ImageData(this.grid(network, size, way).pixels(), size, size), 0, 0);
    }
    const time = performance.now() - start;
    const times = this.times.get(network) ?? {};
    times[way] = (time * this.size ** 2) / size ** 2; // of a frame of all pixels
    this.times.set(network, times);
    return { way, time };
  }
  stale(network, layer) {
    for (const held of this.of(network).values()) held.from = Math.min(held.from, layer);
  }
  of(network) {
    if (!this.grids.has(network)) this.grids.set(network, new Map());
    return this.grids.get(network);
  }
  // What all units hold, or in WebAssembly what is needed for the picture, up to date.
  grid(network, size, way = "JavaScript") {
    const made = this.of(network);
    const key = `${way} ${size}`;
    if (!made.has(key)) made.set(key, { grid: way === "JavaScript" ? new PixelGrid(network, size) : new Tiles(network, size), from: Infinity });
    const held = made.get(key);
    if (held.from < network.depth()) held.grid.run(held.from);
    held.from = Infinity;
    return held.grid;
  }
}

"use strict";
// The same networks in WebAssembly, several pixels to an instruction. The two functions that a network needs are put together
// here, byte by byte (the binary format of WebAssembly 2.0, chapter 5): its activations are compiled once, its weights lie in
// memory, so that moving one compiles nothing.

const TILE = 8; // pixels whose values of one unit lie side by side
const TOGETHER_TILES = 8; // that go through all layers before the next do, so that they stay near the processor
const ENTRY = 20; // bytes: where an input lies, and its weights into four units
const BYTES = 4 * TILE; // of one unit in a tile

// The bytes of whole numbers, and of instructions that take expressions and are one.
const wasm = {
  whole: (value) => {
    const bytes = [];
    for (; value > 127; value >>>= 7) bytes.push((value & 127) | 128);
    return [...bytes, value];
  },
  signed: (value) => {
    const bytes = [];
    for (; value < -64 || value > 63; value >>= 7) bytes.push((value & 127) | 128);
    return [...bytes, value & 127];
  },
  get: (local) => [0x20, local],
  set: (local, value) => [...value, 0x21, local],
  int: (value) => [0x41, ...wasm.signed(value)],
  plus: (a, b) => [...a, ...b, 0x6a],
  times: (a, b) => [...a, ...b, 0x6c],
  below: (a, b) => [...a, ...b, 0x49],
  word: (at) => [...at, 0x28, 2, 0],
  // While a condition holds.
  loop: (condition, body) => [0x02, 0x40, 0x03, 0x40, ...condition, 0x45, 0x0d, 1, ...body, 0x0c, 0, 0x0b, 0x0b],
  // Four 32-bit numbers at once.
  four: (code, ...given) => [...given.flat(), 0xfd, ...wasm.whole(code)],
  load: (at, offset) => [...at, 0xfd, 0, 2, ...wasm.whole(offset)],
  spread: (at, offset) => [...at, 0xfd, 9, 2, ...wasm.whole(offset)],
  store: (at, offset, value) => [...at, ...value, 0xfd, 11, 2, ...wasm.whole(offset)],
  real: (value) => [0x43, ...new Uint8Array(new Float32Array([value]).buffer), 0xfd, 19],
};
const four = {
  negated: (a) => wasm.four(225, a),
  sum: (a, b) => wasm.four(228, a, b),
  product: (a, b) => wasm.four(230, a, b),
  quotient: (a, b) => wasm.four(231, a, b),
  least: (a, b) => wasm.four(232, a, b),
  most: (a, b) => wasm.four(233, a, b),
  nearest: (a) => wasm.four(106, a),
  integer: (a) => wasm.four(248, a),
  either: (a, b) => wasm.four(81, a, b),
  added: (a, b) => wasm.four(174, a, b), // integers
  shifted: (a, places) => [...a, ...wasm.int(places), 0xfd, ...wasm.whole(171)],
  integers: (value) => [...wasm.int(value), 0xfd, 17],
};

// What an activation leaves of the numbers in the local X; N and R are free.
const [X, N, R] = [3, 4, 5];
const series = (coefficients, of) => coefficients.reduceRight((sum, one) => four.sum(four.product(sum, of), wasm.real(one)), wasm.real(0));
const taken = (n, parts) => parts.reduce((rest, part) => four.sum(rest, four.product(wasm.get(n), wasm.real(-part))), wasm.get(X));
// e to the X: 2 to a whole number times a series of what is left.
const exponential = [
  ...wasm.set(X, four.least(four.most(wasm.get(X), wasm.real(-87)), wasm.real(88))),
  ...wasm.set(N, four.nearest(four.product(wasm.get(X), wasm.real(Math.LOG2E)))),
  ...wasm.set(R, taken(N, [0.693359375, -2.12194440e-4])),
  ...wasm.set(
    X,
    four.product(
      series([1, 1, 1 / 2, 1 / 6, 1 / 24, 1 / 120, 1 / 720], wasm.get(R)),
      four.shifted(four.added(four.integer(wasm.get(N)), four.integers(127)), 23),
    ),
  ),
];
// The sine of X: that of the distance to the nearest multiple of pi, turned about at odd ones.
const sine = [
  ...wasm.set(N, four.nearest(four.product(wasm.get(X), wasm.real(1 / Math.PI)))),
  ...wasm.set(R, taken(N, [3.140625, 9.67502593994e-4, 1.509957991e-7])),
  ...wasm.set(X, four.product(wasm.get(R), wasm.get(R))),
  ...wasm.set(R, four.product(wasm.get(R), series([1, -1 / 6, 1 / 120, -1 / 5040, 1 / 362880, -1 / 39916800], wasm.get(X)))),
  ...wasm.set(X, four.either(wasm.get(R), four.shifted(four.integer(wasm.get(N)), 31))),
];
const twiceLessOne = (value) => wasm.set(X, four.sum(four.product(value, wasm.real(2)), wasm.real(-1)));
const logistic = (scale) => [
  ...wasm.set(X, four.product(wasm.get(X), wasm.real(-scale))),
  ...exponential,
  ...twiceLessOne(four.quotient(wasm.real(1), four.sum(wasm.get(X), wasm.real(1)))),
];
const AT_ONCE = {
  cos: [...wasm.set(X, four.sum(wasm.get(X), wasm.real(Math.PI / 2))), ...sine],
  gaussian: [...wasm.set(X, four.negated(four.product(wasm.get(X), wasm.get(X)))), ...exponential, ...twiceLessOne(wasm.get(X))],
  sigmoid: logistic(1),
  sin: sine,
  tanh: logistic(2),
};

// activate(start, end, stride): every tile of a layer, each unit by its own activation, in its place.
function activating(kinds) {
  const at = 6; // a local: where the next numbers lie
  const body = [];
  for (let unit = 0; unit < kinds.length; ) {
    let next = unit;
    while (kinds[next] === kinds[unit]) next++;
    if (AT_ONCE[kinds[unit]]) {
      body.push(
        ...wasm.set(at, wasm.plus(wasm.get(0), wasm.int(unit * BYTES))),
        ...wasm.loop(wasm.below(wasm.get(at), wasm.plus(wasm.get(0), wasm.int(next * BYTES))), [
          ...wasm.set(X, wasm.load(wasm.get(at), 0)),
          ...AT_ONCE[kinds[unit]],
          ...wasm.store(wasm.get(at), 0, wasm.get(X)),
          ...wasm.set(at, wasm.plus(wasm.get(at), wasm.int(16))),
        ]),
      );
    }
    unit = next;
  }
  const step = wasm.set(0, wasm.plus(wasm.get(0), wasm.get(2)));
  return { given: 3, fours: 3, integers: 1, body: wasm.loop(wasm.below(wasm.get(0), wasm.get(1)), [...body, ...step]) };
}

// multiply(inside, outside, end, stride inside, table, groups): of every tile the sums of four units at a time, for which a
// table holds the number of inputs, and for each where it lies and its four weights.
function multiplying() {
  const [inside, outside, end, wide, table, groups, sums, [a, b], entry, last, target, place] = [0, 1, 2, 3, 4, 5, 6, [14, 15], 16, 17, 18, 19];
  const every = [...Array(8).keys()].map((k) => sums + k); // of each of four units those of the first four pixels, and the others
  const one = [
    ...wasm.set(place, wasm.plus(wasm.get(inside), wasm.word(wasm.get(entry)))),
    ...wasm.set(a, wasm.load(wasm.get(place), 0)),
    ...wasm.set(b, wasm.load(wasm.get(place), 16)),
    ...every.flatMap((sum, k) => {
      const weight = wasm.spread(wasm.get(entry), 4 + 4 * (k >> 1));
      return wasm.set(sum, four.sum(wasm.get(sum), four.product(weight, wasm.get(k & 1 ? b : a))));
    }),
    ...wasm.set(entry, wasm.plus(wasm.get(entry), wasm.int(ENTRY))),
  ];
  const group = [
    ...wasm.set(last, wasm.plus(wasm.plus(wasm.get(entry), wasm.int(4)), wasm.times(wasm.word(wasm.get(entry)), wasm.int(ENTRY)))),
    ...wasm.set(entry, wasm.plus(wasm.get(entry), wasm.int(4))),
    ...every.flatMap((sum) => wasm.set(sum, wasm.real(0))),
    ...wasm.loop(wasm.below(wasm.get(entry), wasm.get(last)), one),
    ...every.flatMap((sum, k) => wasm.store(wasm.get(target), 16 * k, wasm.get(sum))),
    ...wasm.set(target, wasm.plus(wasm.get(target), wasm.int(4 * BYTES))),
  ];
  const next = wasm.plus(wasm.get(outside), wasm.times(wasm.get(groups), wasm.int(4 * BYTES)));
  const tile = [
    ...wasm.set(entry, wasm.get(table)),
    ...wasm.set(target, wasm.get(outside)),
    ...wasm.loop(wasm.below(wasm.get(target), next), group),
    ...wasm.set(inside, wasm.plus(wasm.get(inside), wasm.get(wide))),
    ...wasm.set(outside, next),
  ];
  return { given: 6, fours: 10, integers: 4, body: wasm.loop(wasm.below(wasm.get(outside), wasm.get(end)), tile) };
}

function assembled(kinds) {
  const functions = { activate: activating(kinds), multiply: multiplying() };
  const list = (items) => [...wasm.whole(items.length), ...items.flat()];
  const text = (letters) => list([...letters].map((letter) => [letter.charCodeAt(0)]));
  const section = (number, content) => [number, ...wasm.whole(content.length), ...content];
  const code = Object.values(functions).map(({ fours, integers, body }) => {
    const whole = [...list([[fours, 0x7b], [integers, 0x7f]]), ...body, 0x0b];
    return [...wasm.whole(whole.length), ...whole];
  });
  return new Uint8Array([
    0, 0x61, 0x73, 0x6d, 1, 0, 0, 0,
    ...section(1, list(Object.values(functions).map(({ given }) => [0x60, ...list(Array(given).fill([0x7f])), 0]))),
    ...section(2, list([[...text("page"), ...text("memory"), 2, 0, 1]])),
    ...section(3, list(Object.keys(functions).map((_, number) => [number]))),
    ...section(7, list(Object.keys(functions).map((name, number) => [...text(name), 0, number]))),
    ...section(10, list(code)),
  ]);
}

// The module of some activations; null in a browser without it.
const modules = new Map();
function moduleOf(kinds) {
  const key = kinds.join();
  if (!modules.has(key)) {
    let found = null;
    try {
      found = new WebAssembly.Module(assembled(kinds));
    } catch {
      // No WebAssembly, none with four numbers at once, or a page that may not compile.
    }
    modules.set(key, found);
  }
  return modules.get(key);
}

// A picture of a network, and what the units before one layer hold: that of the weight that was moved last.
class Tiles {
  constructor(network, size) {
    [this.network, this.size, this.kept] = [network, size, 0];
    const num = Math.ceil((size * size) / TILE / TOGETHER_TILES) * TOGETHER_TILES;
    const groups = network.sizes.map((units) => Math.ceil(units / 4));
    const widest = Math.max(...groups);
    const tables = network.weights.map((_, layer) => groups[layer + 1] * (4 + network.sizes[layer] * ENTRY));
    const wanted = [num * groups[0], num * groups.at(-1), num * widest, num * widest, TOGETHER_TILES * widest, TOGETHER_TILES * widest];
    const sizes = [...wanted.map((count) => 4 * BYTES * count), ...tables.map((bytes) => Math.ceil(bytes / 16) * 16)];
    const starts = sizes.map((_, k) => sizes.slice(0, k).reduce((sum, one) => sum + one, 0));
    [this.inputs, this.outputs] = starts;
    [this.held, this.between] = [starts.slice(2, 4), starts.slice(4, 6)]; // of even layers, and of odd ones
    [this.tables, this.num, this.groups] = [starts.slice(6), num, groups];
    const memory = new WebAssembly.Memory({ initial: Math.ceil((starts.at(-1) + sizes.at(-1)) / 65536) });
    this.code = new WebAssembly.Instance(moduleOf(network.kinds), { page: { memory } }).exports;
    [this.reals, this.whole] = [new Float32Array(memory.buffer), new Int32Array(memory.buffer)];
    coordinatesOf(size).forEach((values, unit) => values.forEach((value, p) => (this.reals[this.inputs / 4 + tiled(p, unit)] = value)));
    this.run(0);
  }
  // The table of a layer: of every four units the inputs that any of them uses.
  write(layer) {
    const [wide, units, weights] = [this.network.sizes[layer], this.network.sizes[layer + 1], this.network.weights[layer]];
    let at = this.tables[layer] / 4;
    for (let first = 0; first < units; first += 4) {
      const start = at++;
      for (let from = 0; from < wide; from++) {
        const four = [0, 1, 2, 3].map((k) => (first + k < units ? weights[(first + k) * wide + from] : 0));
        if (four.every((weight) => weight === 0)) continue;
        this.whole[at] = from * BYTES;
        this.reals.set(four, at + 1);
        at += ENTRY / 4;
      }
      this.whole[start] = (at - start - 1) / (ENTRY / 4);
    }
  }
  // Compute again what lies behind layer `from`, the first whose weights have changed, and keep what enters it.
  run(from) {
    const [start, last] = [this.kept <= from ? this.kept : 0, this.network.depth() - 1];
    for (let layer = from; layer <= last; layer++) this.write(layer);
    for (let tile = 0; tile < this.num; tile += TOGETHER_TILES) {
      const wholes = (place, layer) => place + tile * this.groups[layer] * 4 * BYTES;
      let inside = start === 0 ? wholes(this.inputs, 0) : wholes(this.held[start % 2], start);
      for (let layer = start; layer <= last; layer++) {
        const after = layer + 1;
        const kept = after === from ? wholes(this.held[after % 2], after) : this.between[after % 2];
        const outside = layer === last ? wholes(this.outputs, after) : kept;
        const stride = this.groups[after] * 4 * BYTES;
        const end = outside + TOGETHER_TILES * stride;
        this.code.multiply(inside, outside, end, this.groups[layer] * 4 * BYTES, this.tables[layer], this.groups[after]);
        if (layer !== last) this.code.activate(outside, end, stride);
        inside = outside;
      }
    }
    this.kept = from;
  }
  pixels() {
    return colours(this.reals.subarray(this.outputs / 4), this.size * this.size, tiled);
  }
}

// Where the value of a unit at a pixel lies, of four units.
function tiled(p, unit) {
  return (p >> 3) * 4 * TILE + unit * TILE + (p & 7);
}

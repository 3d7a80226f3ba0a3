// Pictures scaled and turned with the same arithmetic as Pillow, to the last bit.

/**
 * Python's round(): to the nearest whole number, halves to the even one.
 * @param {number} x
 * @returns {number}
 */
function roundEven(x) {
  const below = Math.floor(x);
  const rest = x - below;
  if (rest === 0.5) return below % 2 === 0 ? below : below + 1;
  return rest < 0.5 ? below : below + 1;
}

const BOX = { support: 0.5, weight: (x) => (x > -0.5 && x <= 0.5 ? 1 : 0) };

// Keys, "Cubic convolution interpolation", 1981, with a = -1/2.
const BICUBIC = {
  support: 2,
  weight(x) {
    const distance = Math.abs(x);
    if (distance < 1) return (1.5 * distance - 2.5) * distance * distance + 1;
    if (distance < 2) return (((distance - 5) * distance + 8) * distance - 4) * -0.5;
    return 0;
  },
};

/**
 * Which pixels each new one is made of, and with which weights, along one axis.
 * @param {number} before - pixels
 * @param {number} after - new pixels
 * @param {{support: number, weight: function(number): number}} filter
 * @returns {{start: number, weights: number[]}[]}
 */
function mixtures(before, after, filter) {
  const scale = before / after;
  const reach = Math.max(scale, 1);
  const support = filter.support * reach;
  return Array.from({ length: after }, (_, index) => {
    const centre = (index + 0.5) * scale;
    const start = Math.max(Math.trunc(centre - support + 0.5), 0);
    const end = Math.min(Math.trunc(centre + support + 0.5), before);
    const weights = [];
    let sum = 0;
    for (let pixel = start; pixel < end; pixel++) {
      const weight = filter.weight((pixel - centre + 0.5) * (1 / reach));
      weights.push(weight);
      sum += weight;
    }
    return { start, weights: sum === 0 ? weights : weights.map((weight) => weight / sum) };
  });
}

// Pillow scales 8-bit levels with whole numbers that have so many bits behind the point.
const PRECISION_BITS = 22;

/**
 * Scale a picture; 8-bit levels stay 8-bit between the passes, as in Pillow.
 * @template {Uint8Array|Float32Array} T
 * @param {T} levels - row after row
 * @param {number} width
 * @param {number} height
 * @param {number} newWidth
 * @param {number} newHeight
 * @param {{support: number, weight: function(number): number}} filter
 * @returns {T}
 */
function resize(levels, width, height, newWidth, newHeight, filter) {
  let result = levels;
  if (newWidth !== width) {
    result = resizeAlong(result, height, width, 1, width, mixtures(width, newWidth, filter), false);
  }
  if (newHeight !== height) {
    result = resizeAlong(result, newWidth, newWidth, newWidth, 1, mixtures(height, newHeight, filter), true);
  }
  return result === levels ? levels.slice() : result;
}

/** One pass: `lines` lines, whose pixels are `step` apart and which begin `stride` apart. */
function resizeAlong(levels, lines, rowLength, step, stride, mixed, down) {
  const whole = levels instanceof Uint8Array;
  const result = new levels.constructor(lines * mixed.length);
  const one = whole ? 2 ** PRECISION_BITS : 1;
  mixed.forEach(({ start, weights }, index) => {
    const factors = whole ? weights.map((w) => Math.trunc(w * one + (w < 0 ? -0.5 : 0.5))) : weights;
    for (let line = 0; line < lines; line++) {
      let sum = whole ? one / 2 : 0;
      let place = line * stride + start * step;
      for (let k = 0; k < factors.length; k++, place += step) sum += levels[place] * factors[k];
      const target = down ? index * rowLength + line : line * mixed.length + index;
      result[target] = whole ? Math.min(Math.max(Math.floor(sum / one), 0), 255) : sum;
    }
  });
  return result;
}

/**
 * A square picture seen through an affine map: 8 bits, bilinear, black where there is nothing.
 * @param {Uint8Array} levels
 * @param {number} side
 * @param {number[]} map - a pixel (x, y) shows what is at (m0 x + m1 y + m2, m3 x + m4 y + m5)
 * @returns {Uint8Array}
 */
function transformed(levels, side, map) {
  const result = new Uint8Array(side * side);
  for (let row = 0; row < side; row++) {
    for (let column = 0; column < side; column++) {
      const x = map[0] * (column + 0.5) + map[1] * (row + 0.5) + map[2];
      const y = map[3] * (column + 0.5) + map[4] * (row + 0.5) + map[5];
      if (x < 0 || x >= side || y < 0 || y >= side) continue;
      const left = Math.floor(x - 0.5);
      const top = Math.floor(y - 0.5);
      const right = Math.min(Math.max(left + 1, 0), side - 1);
      const inside = Math.max(left, 0);
      const across = x - 0.5 - left;
      const upper = Math.max(top, 0) * side;
      const above = levels[upper + inside] + (levels[upper + right] - levels[upper + inside]) * across;
      let below = above;
      if (top + 1 < side) {
        const lower = (top + 1) * side;
        below = levels[lower + inside] + (levels[lower + right] - levels[lower + inside]) * across;
      }
      result[row * side + column] = above + (below - above) * (y - 0.5 - top);
    }
  }
  return result;
}

/** A part of a picture: its rows from left to right, from top to bottom. */
function crop(values, width, [left, top, right, bottom]) {
  const result = new values.constructor((right - left) * (bottom - top));
  for (let y = top; y < bottom; y++) {
    result.set(values.subarray(y * width + left, y * width + right), (y - top) * (right - left));
  }
  return result;
}

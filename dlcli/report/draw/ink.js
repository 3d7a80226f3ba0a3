// Grey levels to ink: where a picture is darker, or lighter, than its paper is just there.
// The arithmetic of dlcli/ink.py for pictures whose channels are all alike, as a drawing's are.

const EDGE_WEIGHT = 0.2;
const SLOPES = [-0.06, -0.04, -0.02, 0, 0.02, 0.04, 0.06];
const QUARTILE_TO_MEDIAN = 0.67;
const FAINTEST = 16;
const FAINTEST_TO_NOISE = 6;
const LIT = 0.9;
const LARGEST_GAIN = 2;
const DARKEST = 0.35;

const f32 = Math.fround;

/**
 * @typedef {Object} Grey - a picture
 * @property {number} width
 * @property {number} height
 * @property {Uint8Array} levels - row after row, 0 (black) to 255 (white)
 * @property {number} channels - 3 for a colour picture whose colours are greys; 1 for a grey one
 */

/**
 * @typedef {Object} Ink - what differs from the paper
 * @property {number} width
 * @property {number} height
 * @property {Float32Array} levels - how strong the ink is at each pixel
 * @property {number} noise - the standard deviation of what seems ink where there is none
 * @property {Uint8Array} shades - levels in such an order that more is darker
 * @property {Float32Array} darkness - how much of the ink's colour a pixel of each shade has
 * @property {Float32Array} gain - how many times as much a difference of darkness counts at each
 *   pixel, 1 outside shadows
 * @property {boolean} isDark - whether the ink is darker than the paper
 */

/** Whether the ink is darker than the paper: the wrong guess leaves more unevenness behind. */
function isDarkInk(grey, windows) {
  const { width, height, levels, channels } = grey;
  const unevenness = (isDark) => windows.reduce(
    (sum, window) => sum + channels * roughness(paperOf(grey, window, isDark), width, height), 0);
  const dark = unevenness(true);
  const light = unevenness(false);
  let least = 255;
  let most = 0;
  for (const level of levels) {
    if (level < least) least = level;
    if (level > most) most = level;
  }
  let lights = 0;
  const note = (level) => { if (level > (least + most) / 2) lights += 1; };
  for (let x = 0; x < width; x++) { note(levels[x]); note(levels[(height - 1) * width + x]); }
  for (let y = 0; y < height; y++) { note(levels[y * width]); note(levels[y * width + width - 1]); }
  const share = lights / (2 * (width + height));
  return Math.log((light + 1) / (dark + 1)) + EDGE_WEIGHT * (2 * share - 1) > 0;
}

function inverse(levels) {
  const result = new Uint8Array(levels.length);
  for (let i = 0; i < levels.length; i++) result[i] = 255 - levels[i];
  return result;
}

/** The sum of the differences between neighbours. */
function roughness(levels, width, height) {
  let sum = 0;
  for (let y = 0; y < height; y++) {
    for (let x = 0, i = y * width; x < width; x++, i++) {
      if (x) sum += Math.abs(levels[i] - levels[i - 1]);
      if (y) sum += Math.abs(levels[i] - levels[i - width]);
    }
  }
  return sum;
}

/**
 * How strong the ink is at each pixel.
 *
 * All channels are alike, so that everything follows from a pixel and its paper, of which there
 * are few pairs; every number is rounded as it is in single precision.
 * @param {Grey} grey
 * @param {number} window - side of the window in pixels; strokes must be narrower
 * @param {boolean} dark - whether the ink is darker than the paper
 * @returns {Ink}
 */
function strength(grey, window, dark) {
  const { width, height, channels } = grey;
  const levels = dark ? grey.levels : inverse(grey.levels);
  const paper = paperOf(grey, window, dark);
  const gains = gainsOf(paper, dark);
  const byPair = new Int32Array(256 * 256);
  for (let i = 0; i < levels.length; i++) byPair[256 * paper[i] + levels[i]] += 1;
  const pairs = [];
  for (let pair = 0; pair < byPair.length; pair++) if (byPair[pair]) pairs.push(pair);
  const counts = pairs.map((pair) => byPair[pair]);
  const contrasts = pairs.map((pair) => f32(((pair >> 8) - (pair & 255)) * gains[pair >> 8]));
  const [floor, noise] = floorOf(contrasts, counts);
  const offset = f32(floor + QUARTILE_TO_MEDIAN * noise);
  const differences = contrasts.map((contrast) => f32(contrast - offset));
  const energies = differences.map((value) => alike(f32(value * value), 1, channels));
  const half = f32(maximum(energies) / 2);
  let sum = 0;
  let count = 0;
  differences.forEach((difference, i) => {
    if (energies[i] < half) return;
    sum += counts[i] * difference;
    count += counts[i];
  });
  const mean = f32(sum / count);
  const norm = f32(Math.sqrt(alike(f32(mean * mean), 1, channels)));
  const direction = f32(mean / f32(Math.max(norm, 1e-6)));
  const inks = differences.map((value) => alike(value, direction, channels));
  const [, inkNoise] = floorOf(inks, counts);
  const strengths = new Float32Array(256 * 256);
  pairs.forEach((pair, i) => { strengths[pair] = Math.max(inks[i], 0); });
  const inkLevels = new Float32Array(levels.length);
  for (let i = 0; i < levels.length; i++) inkLevels[i] = strengths[256 * paper[i] + levels[i]];
  const gain = Float32Array.from(paper, (level) => gains[level]);
  const shades = direction < 0 ? levels : inverse(levels);
  const darkness = Float32Array.from(
    gains, (_, shade) => -alike(direction < 0 ? shade : 255 - shade, direction, channels));
  return { width, height, noise: inkNoise, isDark: dark, levels: inkLevels, shades, darkness, gain };
}

/** The sum of `value * factor` over channels that are all alike, in single precision. */
function alike(value, factor, channels) {
  let sum = 0;
  for (let channel = 0; channel < channels; channel++) sum = f32(sum + value * factor);
  return sum;
}

/** For each level of paper, how much more light falls on the lightest paper; 1 at least. */
function gainsOf(paper, dark) {
  const counts = new Int32Array(256);
  for (const level of paper) counts[level] += 1;
  const [lit] = countedQuantiles([...counts.keys()], counts, LIT);
  return Float32Array.from(counts, (_, level) => {
    const share = f32(Math.max(level, 1) / Math.max(lit, 1));
    return dark && share >= f32(DARKEST) ? Math.min(Math.max(f32(1 / share), 1), LARGEST_GAIN) : 1;
  });
}

/** The values below which so large shares of all lie, if each occurs so often. */
function countedQuantiles(values, counts, ...shares) {
  const order = values.map((value, index) => [value, counts[index]]).sort((a, b) => a[0] - b[0]);
  const all = counts.reduce((sum, count) => sum + count, 0);
  return shares.map((share) => {
    let left = Math.trunc(share * all);
    for (const [value, count] of order) {
      if (left < count) return value;
      left -= count;
    }
    throw new Error('a share is below 1');
  });
}

/** The first quartile, and its distance from the twentieth. */
function floorOf(values, counts) {
  const [least, quartile] = countedQuantiles(values, counts, 0.05, 0.25);
  return [quartile, quartile - least];
}

/** Whether there is no ink. */
function isBlank(ink) {
  return maximum(ink.levels) < Math.max(FAINTEST, FAINTEST_TO_NOISE * ink.noise);
}

function maximum(values) {
  let most = -Infinity;
  for (let i = 0; i < values.length; i++) if (values[i] > most) most = values[i];
  return most;
}

/**
 * The ink without straight lines along rows and columns; what crosses them stays.
 * @param {Ink} ink
 * @param {number} level - from which strength on it is looked at
 * @param {Uint8Array} lines - those along rows
 * @param {number} thickness - what is thicker is no line
 * @param {number} length - what is shorter is no line along columns; Infinity: nothing is
 * @returns {Ink}
 */
function withoutLines(ink, level, lines, thickness, length) {
  const { width, height } = ink;
  const least = f32(level);
  const turned = transposed(atLeast(ink.levels, least), width, height);
  // A stroke of a digit is upright more often than it lies: only what is exactly so is a line.
  const upright = transposed(linesOf(turned, height, width, thickness, length, [0]), height, width);
  for (let i = 0; i < lines.length; i++) upright[i] |= lines[i];
  const edges = spread(upright, width, height, 1);
  const levels = ink.levels.slice();
  for (let i = 0; i < levels.length; i++) {
    if (upright[i] || (edges[i] && levels[i] < least)) levels[i] = 0;
  }
  return { ...ink, levels };
}

/** Lines along rows, at least so long and at most so thick, in ink from a strength on. */
function linesAlongRows(ink, level, thickness, length) {
  return linesOf(atLeast(ink.levels, f32(level)), ink.width, ink.height, thickness, length, SLOPES);
}

/** Which values are so large, or larger. */
function atLeast(values, least) {
  const marked = new Uint8Array(values.length);
  for (let i = 0; i < values.length; i++) marked[i] = values[i] >= least ? 1 : 0;
  return marked;
}

/** Which pixels lie on a line along rows, but for one of the slopes. */
function linesOf(marked, width, height, thickness, length, slopes) {
  const line = new Uint8Array(marked.length);
  if (length > width) return line;
  const heights = transposed(runs(transposed(marked, width, height), height, width), height, width);
  const [left, , right] = extentOf(marked, width, height);
  const wide = right - left; // beyond them there is nothing
  if (length > wide) return line;
  const aslant = new Int32Array(height * wide);
  const softened = new Uint8Array(height * wide);
  for (const slope of slopes) {
    // Seen aslant, a line of this slope lies along a row, or leaves it by a pixel.
    for (let x = 0; x < wide; x++) {
      const drift = roundEven(slope * (left + x)) + height;
      for (let y = 0; y < height; y++) aslant[y * wide + x] = ((y + drift) % height) * width + left + x;
    }
    softened.fill(0);
    for (let i = 0; i < aslant.length; i++) {
      if (!marked[aslant[i]]) continue;
      softened[i] = 1;
      if (i >= wide) softened[i - wide] = 1;
      if (i + wide < aslant.length) softened[i + wide] = 1;
    }
    const lengths = runs(softened, wide, height);
    for (let i = 0; i < aslant.length; i++) if (lengths[i] >= length) line[aslant[i]] = 1;
  }
  for (let i = 0; i < line.length; i++) {
    if (!marked[i] || heights[i] > thickness) line[i] = 0;
  }
  return line;
}

/** The values that are marked. */
function selected(values, marked) {
  const result = new values.constructor(values.length);
  let count = 0;
  for (let i = 0; i < values.length; i++) if (marked[i]) result[count++] = values[i];
  return result.subarray(0, count);
}

/** The value below which so large a share of all lies. */
function quantile(values, share) {
  return values.slice().sort()[Math.trunc(share * values.length)];
}

/** The width of the stroke at each pixel, 0 where none is: the shorter of its two runs. */
function strokeWidths(marked, width, height) {
  const across = runs(marked, width, height);
  const down = transposed(runs(transposed(marked, width, height), height, width), height, width);
  for (let i = 0; i < across.length; i++) across[i] = Math.min(across[i], down[i]);
  return across;
}

/** The median width of strokes in pixels. */
function medianWidth(marked, width, height) {
  return quantile(selected(strokeWidths(marked, width, height), marked), 0.5);
}

/** Let strokes grow by so many pixels on every side; the picture grows with them. */
function thicken(levels, width, height, by) {
  const wide = width + 2 * by;
  const high = height + 2 * by;
  let grown = new Float32Array(wide * high);
  for (let y = 0; y < height; y++) {
    grown.set(levels.subarray(y * width, (y + 1) * width), (y + by) * wide + by);
  }
  for (let number = 0; number < by; number++) {
    // A cross and a square in turn come near a disc.
    const before = grown.slice();
    growAlong(grown, before, wide, high, 0, 1);
    growAlong(grown, number % 2 === 0 ? before : grown.slice(), wide, high, 1, 0);
  }
  return { levels: grown, width: wide, height: high };
}

/** Give each pixel of `grown` what its two neighbours along an axis have, if that is more. */
function growAlong(grown, levels, width, height, right, down) {
  const step = right + down * width;
  for (let y = 0; y < height - down; y++) {
    for (let x = 0, i = y * width; x < width - right; x++, i++) {
      if (levels[i] > grown[i + step]) grown[i + step] = levels[i];
      if (levels[i + step] > grown[i]) grown[i] = levels[i + step];
    }
  }
}

/** A picture without its ink, dark or light (closing); each is kept, for it is asked for again. */
function paperOf(grey, window, dark) {
  const { width, height } = grey;
  const papers = (grey.papers ??= new Map());
  const key = dark ? window : -window;
  if (!papers.has(key)) {
    const levels = dark ? grey.levels : inverse(grey.levels);
    // Along columns, then along rows as columns of the picture turned over, and back again.
    const light = extremes(levels, height, width, window, LARGEST);
    const lightest = extremes(transposed(light, width, height), width, height, window, LARGEST);
    const grown = extremes(lightest, width, height, window, LEAST);
    papers.set(key, extremes(transposed(grown, height, width), height, width, window, LEAST));
  }
  return papers.get(key);
}

/** Mark what is at most so many pixels away, diagonals included. */
function spread(levels, width, height, by) {
  const tall = extremes(levels, height, width, 2 * by + 1, LARGEST);
  const turned = extremes(transposed(tall, width, height), width, height, 2 * by + 1, LARGEST);
  return transposed(turned, height, width);
}

// Levels turned over by an exclusive or: the least are then the largest.
const LARGEST = 0;
const LEAST = 255;

/**
 * The largest or least level in the window above and below each pixel, in three comparisons.
 *
 * Columns are cut into blocks as long as the window: a window is the end of one block and the
 * beginning of the next. Source: van Herk, "A fast algorithm for local minimum and maximum
 * filters", 1992.
 * @param {Uint8Array} levels
 * @param {number} height
 * @param {number} width
 * @param {number} window
 * @param {number} flip - LARGEST or LEAST
 * @returns {Uint8Array}
 */
function extremes(levels, height, width, window, flip) {
  const half = Math.floor(window / 2);
  const rows = height + 2 * half;
  const source = (row) => Math.min(Math.max(row - half, 0), height - 1) * width;
  const beginnings = new Uint8Array(rows * width);
  for (let row = 0; row < rows; row++) {
    flipRow(levels, source(row), beginnings, row * width, width, flip);
    if (row % window) raise(beginnings, row * width, (row - 1) * width, width);
  }
  const ends = new Uint8Array(rows * width);
  const last = Math.min(Math.ceil(height / window) * window, rows) - 1;
  for (let row = last; row >= 0; row--) {
    flipRow(levels, source(row), ends, row * width, width, flip);
    if (row < last && (row + 1) % window) raise(ends, row * width, (row + 1) * width, width);
  }
  const result = new Uint8Array(height * width);
  const ahead = (window - 1) * width;
  for (let i = 0; i < result.length; i++) {
    result[i] = Math.max(ends[i], beginnings[i + ahead]) ^ flip;
  }
  return result;
}

function flipRow(levels, from, target, to, width, flip) {
  for (let x = 0; x < width; x++) target[to + x] = levels[from + x] ^ flip;
}

/** Let a row be no less than another of the same picture. */
function raise(levels, row, other, width) {
  for (let x = 0; x < width; x++) levels[row + x] = Math.max(levels[row + x], levels[other + x]);
}

/** The length of the unbroken run along its row that each marked pixel is in. */
function runs(marked, width, height) {
  const result = new Int32Array(marked.length);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      let end = x;
      while (end < width && marked[y * width + end]) end += 1;
      if (end > x) result.fill(end - x, y * width + x, y * width + end);
      x = end;
    }
  }
  return result;
}

/** Rows become columns. */
function transposed(values, width, height) {
  const result = new values.constructor(values.length);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) result[x * height + y] = values[y * width + x];
  }
  return result;
}

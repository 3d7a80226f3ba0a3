// Ink to the pieces that make up a digit: the arithmetic of dlcli/pieces.py.

const MARKED = [0.4, 0.65];
const ATTEMPTS = 5;
const LEAST_SIZE = 0.05;
const LEAST_PIXELS = 3;
const LINE_WIDTH = 0.06;
const LINE_LENGTH = 0.8;
const FLAT = 5;
const UNDERLINE = 0.7;
const MOST_OF_SIDE = 0.9;
const STRIP = 0.35;
const LEAST_FRAMED = 0.3;
const TOUCHING_COUNTS = 0.25;
const THICKEST = 0.3;
const LEAST_MASS = 0.03;
const REACH = 0.25;
const THICKER = 2;
const BLOT = 0.5;
const ON_PAPER = 0.8;
const MOST_MEMBERS = 3;
const MOST_HOLES = 2;
const LEAST_HOLE = 0.01;
const WIDEST = 1.8;
const AS_LARGE = 0.6;
const AS_THICK = 0.35;
const AS_HEAVY = 0.25;
const BESIDE = 0.25;
const SEVERAL = 'more than one digit: show one at a time';

/**
 * @typedef {Object} Piece - connected marked ink
 * @property {number} mass - the sum of its ink
 * @property {number} top
 * @property {number} left
 * @property {number} bottom - exclusive, as right is
 * @property {number} right
 * @property {number[]} onSides - the share of the upper, lower, left and right side it covers
 * @property {number} thickness - the median width of its strokes
 */

/**
 * @typedef {Object} Pieces
 * @property {Ink} ink
 * @property {Int32Array} labels - the number of each pixel's piece, from 1; 0: none
 * @property {number} level - the pen's strength
 * @property {Piece[]} list
 */

/**
 * @typedef {Object} Found - where the digit is
 * @property {Pieces} pieces
 * @property {Piece} main - the piece that is the digit, or most of it
 * @property {boolean[]} members - which pieces belong to the digit
 * @property {number} score - how much speaks for it
 * @property {Uint8Array} marked - the digit's pixels
 * @property {number[]} box - its left, top, right and bottom
 */

const heightOf = (piece) => piece.bottom - piece.top;
const widthOf = (piece) => piece.right - piece.left;
const lengthOf = (piece) => Math.max(heightOf(piece), widthOf(piece));
const touches = (piece) => Math.max(...piece.onSides) > 0;

/** How much a piece speaks for being the digit: how far the pen went, and how strong it was. */
function scoreOf(piece) {
  const strokes = Math.min(1, ((THICKEST * lengthOf(piece)) / piece.thickness) ** 4);
  return (piece.mass / piece.thickness) * strokes * (touches(piece) ? TOUCHING_COUNTS : 1);
}

/**
 * Where the digit is; null if there is no ink but the edges of things.
 * @param {Ink} ink
 * @param {number} share - of the pen's strength, from which on ink is marked
 * @returns {Found|null}
 */
function findDigit(ink, share = MARKED[0]) {
  if (isBlank(ink)) return null;
  const remaining = { ...ink, levels: ink.levels.slice() };
  let fallback = null;
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    const pieces = mark(remaining, share);
    const plausible = pieces.list.map((piece) => isPlausible(piece, ink));
    const frames = framesOf(pieces, plausible);
    const main = best(pieces.list, (piece, i) => plausible[i] && !frames[i]);
    if (main) return withCompanions(pieces, main, frames);
    const uncropped = best(pieces.list, (piece) => !isEdge(piece, ink));
    if (!fallback && uncropped) fallback = withCompanions(pieces, uncropped, frames);
    const gone = spread(atLeast(pieces.labels, 1), ink.width, ink.height, 2);
    for (let i = 0; i < gone.length; i++) if (gone[i]) remaining.levels[i] = 0;
    if (isBlank(remaining)) break;
  }
  return fallback;
}

/** The first of the pieces with the highest score among those that are wanted. */
function best(list, wanted) {
  let result = null;
  list.forEach((piece, i) => {
    if (wanted(piece, i) && (!result || scoreOf(piece) > scoreOf(result))) result = piece;
  });
  return result;
}

/** Whether a piece can be a digit: not too small, no line, no edge. */
function isPlausible(piece, picture) {
  const whole = Math.max(picture.width, picture.height);
  const thin = Math.min(heightOf(piece), widthOf(piece)) <= LINE_WIDTH * whole;
  return lengthOf(piece) >= Math.max(LEAST_PIXELS, LEAST_SIZE * whole)
    && !(thin && lengthOf(piece) >= LINE_LENGTH * whole)
    && widthOf(piece) < FLAT * heightOf(piece)
    && Math.max(...piece.onSides) < MOST_OF_SIDE
    && !isEdge(piece, picture);
}

/** Whether a piece lies along a side of the picture as no digit does, however closely cropped. */
function isEdge(piece, { width, height }) {
  const sides = [width, width, height, height];
  const along = [widthOf(piece), widthOf(piece), heightOf(piece), heightOf(piece)];
  const depth = [heightOf(piece), heightOf(piece), widthOf(piece), widthOf(piece)];
  const flush = piece.onSides.map((share, i) => share * sides[i] >= MOST_OF_SIDE * along[i]);
  const strip = piece.onSides.some((share, i) => (
    share >= MOST_OF_SIDE || (flush[i] && depth[i] <= STRIP * along[i])) && !(piece.onSides[i ^ 1] > 0));
  return strip || ((flush[0] || flush[1]) && (flush[2] || flush[3]));
}

/** Which pieces are drawn around another one, as the box of a form is. */
function framesOf({ list, labels, ink }, candidates) {
  const frames = list.map(() => false);
  list.forEach((inner, number) => {
    if (!candidates[number]) return;
    const around = list.map((piece, i) => candidates[i]
      && piece.top < inner.top && piece.left < inner.left
      && piece.bottom > inner.bottom && piece.right > inner.right
      && lengthOf(inner) >= LEAST_FRAMED * lengthOf(piece));
    if (!around.includes(true)) return;
    for (let y = inner.top; y < inner.bottom; y++) {
      for (let x = inner.left; x < inner.right; x++) {
        const label = labels[y * ink.width + x];
        if (label) around[label - 1] = false;
      }
    }
    around.forEach((is, i) => { frames[i] = frames[i] || is; });
  });
  return frames;
}

/** Which pieces look like digits beside the main one. */
function isOther(piece, main, picture) {
  const similar = (size, other, factor) => size >= factor * other && factor * size <= other;
  const shared = Math.min(piece.right, main.right) - Math.max(piece.left, main.left);
  return similar(heightOf(piece), heightOf(main), AS_LARGE)
    && similar(piece.thickness, main.thickness, AS_THICK)
    && piece.mass >= AS_HEAVY * main.mass
    && shared <= BESIDE * Math.min(widthOf(piece), widthOf(main))
    && piece.top < main.bottom && piece.bottom > main.top
    && !isEdge(piece, picture) && Math.max(...piece.onSides) < MOST_OF_SIDE;
}

/** Add the other pieces of a broken digit: near the main one, alike, and no mere specks. */
function withCompanions(pieces, main, frames) {
  const { list, labels, ink } = pieces;
  const reach = REACH * lengthOf(main);
  const members = list.map((piece, i) => {
    const near = piece.top < main.bottom + reach && piece.bottom > main.top - reach
      && piece.left < main.right + reach && piece.right > main.left - reach;
    const underline = widthOf(piece) >= FLAT * heightOf(piece)
      && piece.top >= main.bottom - main.thickness
      && widthOf(piece) >= UNDERLINE * widthOf(main);
    return piece === main || (near && !underline
      && piece.mass >= LEAST_MASS * main.mass
      && piece.thickness <= THICKER * main.thickness
      && Math.max(...piece.onSides) < MOST_OF_SIDE
      && (!touches(piece) || touches(main))
      && !frames[i] && !isOther(piece, main, ink));
  });
  const chosen = list.filter((_, i) => members[i]);
  const marked = new Uint8Array(labels.length);
  for (let i = 0; i < labels.length; i++) marked[i] = labels[i] && members[labels[i] - 1] ? 1 : 0;
  const edge = (pick, side) => pick(...chosen.map((piece) => piece[side]));
  return {
    pieces, main, members, marked, score: scoreOf(main),
    box: [edge(Math.min, 'left'), edge(Math.min, 'top'), edge(Math.max, 'right'), edge(Math.max, 'bottom')],
  };
}

/** Whether other pieces look like digits beside the main one. */
function hasOthers({ pieces, main }) {
  return pieces.list.some((piece) => isOther(piece, main, pieces.ink));
}

/** Why what was found is not one digit, if it is not. */
function doubtOfFound(found) {
  const { main } = found;
  if (main.thickness > BLOT * lengthOf(main) || onPaper(found) < ON_PAPER) {
    return 'a blot or an edge, no strokes of a pen';
  }
  if (found.members.filter(Boolean).length > MOST_MEMBERS || holes(found) > MOST_HOLES) {
    return 'a drawing, no digit';
  }
  if (widthOf(main) > WIDEST * heightOf(main)) return 'wider than a digit: show one at a time';
  return null;
}

/** The share of the surroundings that is paper: lighter than the strokes next to it. */
function onPaper({ pieces, main, marked }) {
  const { width, height, shades, darkness, gain } = pieces.ink;
  const reach = Math.max(LEAST_PIXELS, Math.trunc(main.thickness / 2));
  const outer = spread(marked, width, height, reach + 2);
  const inner = spread(marked, width, height, reach);
  let least = 255;
  for (let i = 0; i < shades.length; i++) least = Math.min(least, shades[i]);
  const strokes = new Uint8Array(shades.length).fill(least);
  for (let i = 0; i < strokes.length; i++) if (marked[i]) strokes[i] = shades[i];
  const nearby = spread(strokes, width, height, reach + 2);
  const much = f32(MARKED[0] * pieces.level);
  let around = 0;
  let lighter = 0;
  for (let i = 0; i < marked.length; i++) {
    if (outer[i] && !inner[i]) {
      around += 1;
      const contrast = f32(f32(darkness[nearby[i]] - darkness[shades[i]]) * gain[i]);
      if (contrast > much) lighter += 1;
    }
  }
  return lighter / (around || 1);
}

/** How many areas the strokes enclose, not counting tiny ones. */
function holes({ pieces, marked, box: [left, top, right, bottom] }) {
  const width = right - left + 2;
  const height = bottom - top + 2;
  const open = new Uint8Array(width * height).fill(1);
  for (let y = top; y < bottom; y++) {
    for (let x = left; x < right; x++) {
      open[(y - top + 1) * width + x - left + 1] = marked[y * pieces.ink.width + x] ? 0 : 1;
    }
  }
  const { labels, count } = label(open, width, height);
  const areas = new Array(count + 1).fill(0);
  for (const number of labels) areas[number] += 1;
  return areas.filter((area, number) => number && number !== labels[0]
    && area >= LEAST_HOLE * open.length).length;
}

/** Mark what is strong beside the pen's strength, and describe its connected pieces. */
function mark(ink, share) {
  const { width, height, levels } = ink;
  const strong = f32(f32(0.6) * maximum(levels));
  const level = quantile(selected(levels, atLeast(levels, strong)), 0.5);
  const marked = atLeast(levels, f32(share * level));
  const { labels, count } = label(marked, width, height);
  const widths = strokeWidths(marked, width, height);
  const areas = new Int32Array(count + 1);
  for (let i = 0; i < labels.length; i++) areas[labels[i]] += 1;
  const mass = new Float64Array(count + 1);
  const [top, left, bottom, right] = [height, width, 0, 0].map((edge) => new Int32Array(count + 1).fill(edge));
  const widthsOf = Array.from(areas, (area, number) => new Int32Array(number ? area : 0));
  for (let y = 0; y < height; y++) {
    for (let x = 0, i = y * width; x < width; x++, i++) {
      const number = labels[i];
      if (!number) continue;
      mass[number] += levels[i];
      top[number] = Math.min(top[number], y);
      left[number] = Math.min(left[number], x);
      bottom[number] = y + 1;
      right[number] = Math.max(right[number], x + 1);
      areas[number] -= 1;
      widthsOf[number][areas[number]] = widths[i];
    }
  }
  const onSides = sidesOf(labels, width, height, count);
  const list = Array.from({ length: count }, (_, i) => {
    const order = widthsOf[i + 1].sort();
    return {
      mass: mass[i + 1], top: top[i + 1], left: left[i + 1], bottom: bottom[i + 1], right: right[i + 1],
      onSides: onSides.map((shares) => shares[i + 1]),
      thickness: order[order.length - 1 - Math.floor(order.length / 2)],
    };
  });
  return { ink, labels, level, list };
}

/** The share of the upper, lower, left and right side that each piece covers. */
function sidesOf(labels, width, height, count) {
  const shares = (length, place) => {
    const pixels = new Int32Array(count + 1);
    for (let k = 0; k < length; k++) pixels[labels[place(k)]] += 1;
    return Array.from(pixels, (covered) => covered / length);
  };
  return [
    shares(width, (x) => x), shares(width, (x) => (height - 1) * width + x),
    shares(height, (y) => y * width), shares(height, (y) => y * width + width - 1),
  ];
}

/**
 * Number the connected pieces of what is marked, in order of their first pixels; diagonal
 * neighbours are connected.
 * @returns {{labels: Int32Array, count: number}} numbers from 1, 0 where nothing is marked
 */
function label(marked, width, height) {
  const labels = new Int32Array(marked.length);
  let count = 0;
  const open = [];
  for (let start = 0; start < marked.length; start++) {
    if (!marked[start] || labels[start]) continue;
    count += 1;
    labels[start] = count;
    open.push(start);
    while (open.length) {
      const place = open.pop();
      const x = place % width;
      const y = (place - x) / width;
      for (let row = Math.max(y - 1, 0); row <= Math.min(y + 1, height - 1); row++) {
        for (let column = Math.max(x - 1, 0); column <= Math.min(x + 1, width - 1); column++) {
          const next = row * width + column;
          if (marked[next] && !labels[next]) {
            labels[next] = count;
            open.push(next);
          }
        }
      }
    }
  }
  return { labels, count };
}

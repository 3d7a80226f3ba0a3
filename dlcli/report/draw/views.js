// What can be seen on a picture, and which of it is likest a digit: the arithmetic of
// dlcli/views.py for pictures of at most 256 pixels a side.

const BLANK = 'blank: there is no ink on it';
const NO_DIGIT = 'no digit: nothing but an edge, lines or specks';
const WHOLE_SIDE = 256;
const CLOSE_LENGTH = 100;
const WHOLE_WINDOWS = [0.05, 0.12, 0.35];
const CLOSE_WINDOW = 4;
const LARGEST_CLOSE_WINDOW = 0.6;
const SAME = 0.8;
const EXPECTED = 0.6;
const ANOTHER = 0.2;
const FAINT = 32;
const FAINT_BAR = 24;
const FAINT_BESIDE = 0.125;
const BAR = 0.35;
const LINE = 0.85;
const LONGER = 1.15;
const LINE_THICKNESS = 2;
const MOST = 0.7;
const SLACK = 2;
const FILLED = 0.7;
const NARROW = 0.5;
const MARGIN = 0.4;
const LIKE = 0.2;
const SURELY_LIKE = 0.1;
const CLEARLY_LIKE = 0.01;

/**
 * @typedef {Object} View - what was taken for the digit
 * @property {Uint8Array|null} pixels - the 28x28, 0 (paper) to 255 (ink); null: there is nothing
 * @property {string|null} doubt - why it does not show one digit, if it does not
 * @property {(function(number, number): number[])|null} place - where a point of the picture lies
 *   on the 28x28
 */

/**
 * The digit on a picture, or why there is none.
 * @param {Grey} grey
 * @param {function(Uint8Array): number} unlike - how unlike a digit a 28x28 is, from 0 to 1
 * @param {boolean} hurried - take what is seen first; what takes longer is for when the pen rests
 * @returns {View}
 */
function lookAt(grey, unlike, hurried) {
  if (Math.max(grey.width, grey.height) > WHOLE_SIDE) throw new Error('the picture is too large');
  const dark = isDarkInk(grey, windowsOf(grey).slice(1));
  const inks = inksOf(grey, dark);
  let chosen = hurried
    ? viewsOf(grey, inks).next().value
    : bestView(chain(viewsOf(grey, inks), viewsApart(grey, inks)), unlike);
  if (!hurried && chosen && isFilled(chosen)) {
    // A sheet of paper on a dark desk may pass for ink.
    const other = bestView(viewsOf(grey, inksOf(grey, !dark)), unlike);
    if (other && !other.doubt && !isFilled(other)) chosen = other;
  }
  return chosen || { pixels: null, doubt: inks.every(isBlank) ? BLANK : NO_DIGIT, place: null };
}

function* chain(...iterables) {
  for (const iterable of iterables) yield* iterable;
}

/** The first view that surely shows a digit, or several; else the likeliest, else the first. */
function bestView(views, unlike) {
  let first = null;
  let likely = null;
  for (const view of views) {
    first = first || view;
    if (view.doubt === SEVERAL && !likely) return view;
    const noDigit = view.doubt ? 1 : unlike(view.pixels);
    if (noDigit < (likely ? CLEARLY_LIKE : SURELY_LIKE)) return view;
    if (noDigit < LIKE) likely = likely || view;
  }
  return likely || first;
}

/** Whether ink covers more of its box than that of a digit does, unless it is a stroke. */
function isFilled(view) {
  const ink = view.pixels.map((level) => (level > 255 / 2 ? 1 : 0));
  const [left, top, right, bottom] = extentOf(ink, IMAGE_SIDE, IMAGE_SIDE);
  const sides = [right - left, bottom - top];
  const covered = ink.reduce((sum, is) => sum + is, 0) / (sides[0] * sides[1]);
  return covered > FILLED && Math.min(...sides) > NARROW * Math.max(...sides);
}

function windowsOf(grey) {
  return WHOLE_WINDOWS.map((share) => odd(share * Math.max(grey.width, grey.height)));
}

/** The side of a window with a pixel in its middle. */
function odd(side) {
  return Math.max(3, roundEven(side) | 1);
}

/** A window for strokes so thick that all others left nothing of them. */
function lastResort(grey) {
  return odd(2 * Math.max(grey.width, grey.height));
}

/** The ink of a picture, as windows of several sizes show it. */
function inksOf(grey, dark) {
  const inks = windowsOf(grey).map((window) => strength(grey, window, dark));
  if (inks.every(isBlank)) return [strength(grey, lastResort(grey), dark)];
  // Two that are the same show the same.
  return inks.filter((ink, i) => !inks.slice(0, i).some((other) => isSame(ink, other)));
}

function isSame(ink, other) {
  return ink.noise === other.noise && ink.levels.every((level, i) => level === other.levels[i]);
}

/** What can be seen on a picture, the likeliest first. */
function* viewsOf(grey, inks) {
  const tried = [];
  for (const share of MARKED) {
    const candidates = inks.map((ink) => findDigit(ink, share)).filter(Boolean);
    for (const found of candidates.sort((one, other) => other.score - one.score)) {
      if (tried.every((other) => overlap(found.box, other.box) < SAME)) {
        tried.push(found);
        yield* closeViews(grey, found, inks, true);
      }
    }
  }
}

/** What can be seen when a digit is parted from the box or the line that it is joined with. */
function* viewsApart(grey, inks) {
  for (const ink of inks) {
    const joined = findDigit(ink);
    if (!joined) continue;
    const [left, top, right, bottom] = joined.box;
    const width = right - left;
    const height = bottom - top;
    const thickness = LINE_THICKNESS * medianWidth(joined.marked, ink.width, ink.height);
    const level = MARKED[0] * joined.pieces.level;
    const along = linesAlongRows(ink, level, thickness, LINE * width);
    for (const length of [LINE * height, Infinity]) {
      const parted = withoutLines(ink, level, along, thickness, length);
      const lines = joined.marked.slice();
      for (let i = 0; i < lines.length; i++) if (parted.levels[i] !== 0) lines[i] = 0;
      if (!isBoxOrUnderline(crop(lines, ink.width, joined.box), width, height)) continue;
      const found = findDigit(parted);
      const sum = (wanted) => ink.levels.reduce((total, level, i) => (wanted(i) ? total + level : total), 0);
      const rest = sum((i) => joined.marked[i] && !lines[i]);
      if (found && sum((i) => found.marked[i]) >= MOST * rest) {
        yield* closeViews(grey, found, inks, false);
      }
    }
  }
}

/** Whether lines run along all sides of what they are part of, or along the lower alone. */
function isBoxOrUnderline(lines, width, height) {
  if (!lines.includes(1)) return false;
  const rows = Array.from({ length: height }, (_, y) => {
    let count = 0;
    for (let x = 0; x < width; x++) count += lines[y * width + x];
    return count / width > LINE / 2;
  });
  const columns = Array.from({ length: width }, (_, x) => {
    let count = 0;
    for (let y = 0; y < height; y++) count += lines[y * width + x];
    return count / height > LINE / 2;
  });
  const along = roundEven(BESIDE * height);
  const across = roundEven(BESIDE * width);
  // As in Python, of which [-0:] is all and [:-0] nothing.
  const below = rows.slice(along ? -along : 0).includes(true);
  const others = along ? rows.slice(0, -along).includes(true) : false;
  const around = rows.slice(0, along).includes(true) && columns.slice(0, across).includes(true)
    && columns.slice(across ? -across : 0).includes(true);
  return below && (around || !(others || columns.includes(true)));
}

/** What can be seen close to where a digit was found, with or without longer lines. */
function* closeViews(grey, found, inks, withLines) {
  const dark = inks[0].isDark;
  const strongest = Math.max(...inks.map(({ levels }) => maximum(levels)));
  const { part, close, scale } = zoom(grey, found);
  const stroke = medianWidth(found.marked, found.pieces.ink.width, found.pieces.ink.height);
  const longest = Math.max(close.width, close.height);
  const window = Math.min(CLOSE_WINDOW * stroke * scale, LARGEST_CLOSE_WINDOW * longest);
  let ink = strength(close, odd(window), dark);
  if (isBlank(ink)) ink = strength(close, lastResort(close), dark);
  const expected = found.box.map((edge, i) => (edge - part[i % 2]) * scale);
  for (const share of MARKED) {
    let closely = findDigit(ink, share);
    if (closely && !withLines) closely = findDigit(alone(ink, closely, expected), share);
    if (!closely) continue;
    const similar = overlap(expected, closely.box);
    const several = hasOthers(closely) || (hasOthers(found) && similar >= EXPECTED);
    const other = isFleck(closely, similar, strongest) || isCutOff(closely, part, grey);
    const seen = fitted(strokesOf(ink.levels, closely));
    const x = (column) => ((column - part[0]) * close.width) / (part[2] - part[0]);
    const y = (row) => ((row - part[1]) * close.height) / (part[3] - part[1]);
    yield {
      pixels: seen.pixels,
      doubt: doubtOfFound(closely) || (other ? NO_DIGIT : several ? SEVERAL : null),
      place: (column, row) => seen.place(x(column), y(row)),
    };
  }
}

/** The ink where a digit is expected, without lines that are longer than it. */
function alone(ink, seen, expected) {
  const [left, top, right, bottom] = expected;
  const level = MARKED[0] * seen.pieces.level;
  const thickness = LINE_THICKNESS * medianWidth(seen.marked, ink.width, ink.height);
  const along = linesAlongRows(ink, level, thickness, LONGER * (right - left));
  const parted = withoutLines(ink, level, along, thickness, LONGER * (bottom - top));
  const rows = [Math.max(roundEven(top) - SLACK, 0), roundEven(bottom) + SLACK];
  const columns = [Math.max(roundEven(left) - SLACK, 0), roundEven(right) + SLACK];
  const levels = parted.levels.map((level, i) => {
    const x = i % ink.width;
    const y = (i - x) / ink.width;
    return y >= rows[0] && y < rows[1] && x >= columns[0] && x < columns[1] ? level : 0;
  });
  return { ...parted, levels };
}

/** Whether it is too faint for what it is, so similar to what was to be found there. */
function isFleck(found, similar, strongest) {
  const [left, top, right, bottom] = found.box;
  const bar = right - left <= BAR * (bottom - top);
  const { level } = found.pieces;
  const faintBar = bar && level < Math.max(FAINT_BAR, FAINT_BESIDE * strongest);
  return faintBar || (level < FAINT && similar < ANOTHER);
}

/** Whether the digit goes on beyond the part of the picture that is in view. */
function isCutOff(found, [left, top, right, bottom], grey) {
  const goesOn = [top > 0, bottom < grey.height, left > 0, right < grey.width];
  return goesOn.some((beyond, side) => beyond
    && found.pieces.list.some((piece, i) => found.members[i] && piece.onSides[side] > 0));
}

/** The area that two boxes share, as a share of what they cover together. */
function overlap(one, other) {
  const width = Math.min(one[2], other[2]) - Math.max(one[0], other[0]);
  const height = Math.min(one[3], other[3]) - Math.max(one[1], other[1]);
  const shared = Math.max(width, 0) * Math.max(height, 0);
  const area = (box) => (box[2] - box[0]) * (box[3] - box[1]);
  return shared / (area(one) + area(other) - shared);
}

/** The part of the picture around the digit, and that part scaled. */
function zoom(grey, found) {
  const [left, top, right, bottom] = found.box;
  const length = Math.max(right - left, bottom - top);
  const room = MARGIN * length;
  const part = [
    Math.max(0, Math.trunc(left - room)),
    Math.max(0, Math.trunc(top - room)),
    Math.min(grey.width, Math.trunc(right + room) + 1),
    Math.min(grey.height, Math.trunc(bottom + room) + 1),
  ];
  const scale = CLOSE_LENGTH / length;
  const before = [part[2] - part[0], part[3] - part[1]];
  const [width, height] = before.map((side) => Math.max(1, roundEven(side * scale)));
  const levels = resize(
    crop(grey.levels, grey.width, part), before[0], before[1], width, height, scale < 1 ? BOX : BICUBIC);
  return { part, close: { width, height, levels, channels: grey.channels }, scale };
}

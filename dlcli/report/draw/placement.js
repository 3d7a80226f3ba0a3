// A digit that was found, placed in 28x28 pixels as MNIST's are: the arithmetic of
// dlcli/placement.py.

const IMAGE_SIDE = 28;
const DIGIT_SIDE = 20;
const CENTRE = 14;
const GREY = 0.2;
const FULL = 0.7;
const THINNEST_STROKE = 2.6;

/** The digit alone, 0 to 1, its strokes at least as thick as MNIST's thin ones. */
function strokesOf(levels, found) {
  const { width, height } = found.pieces.ink;
  const pen = f32(found.pieces.level);
  const range = f32(FULL - GREY);
  const near = spread(found.marked, width, height, 2); // with the grey of the edges
  const strokes = new Float32Array(levels.length);
  for (let i = 0; i < levels.length; i++) {
    if (near[i]) strokes[i] = Math.min(Math.max(f32(f32(levels[i] / pen) - f32(GREY)) / range, 0), 1);
  }
  const [left, top, right, bottom] = found.box;
  const pixel = Math.max(right - left, bottom - top) / DIGIT_SIDE;
  const missing = roundEven((THINNEST_STROKE * pixel - medianWidth(found.marked, width, height)) / 2);
  const by = Math.max(missing, 0);
  return { ...thicken(strokes, width, height, by), by };
}

/** Scale to fit 20x20, the aspect ratio kept, and place it in 28x28, balanced on pixel 14. */
function fitted({ levels, width, height, by }) {
  const half = f32(maximum(levels) / 2);
  const box = extentOf(atLeast(levels, half), width, height);
  const wide = box[2] - box[0];
  const high = box[3] - box[1];
  const scale = DIGIT_SIDE / Math.max(wide, high);
  const newWide = Math.max(1, roundEven(wide * scale));
  const newHigh = Math.max(1, roundEven(high * scale));
  const resized = resize(
    crop(levels, width, box), wide, high, newWide, newHigh, scale < 1 ? BOX : BICUBIC)
    .map((level) => Math.min(Math.max(level, 0), 1));
  // Averaging thins out a fine stroke; its core must be as strong as before.
  const factor = f32(255 / Math.max(maximum(resized), 1e-6));
  const digit = resized.map((level) => level * factor);
  const centre = centreOfMass(digit, newWide, newHigh);
  const top = Math.min(Math.max(CENTRE - roundEven(centre.row), 0), IMAGE_SIDE - newHigh);
  const left = Math.min(Math.max(CENTRE - roundEven(centre.column), 0), IMAGE_SIDE - newWide);
  const pixels = new Uint8Array(IMAGE_SIDE * IMAGE_SIDE);
  for (let y = 0; y < newHigh; y++) {
    for (let x = 0; x < newWide; x++) {
      pixels[(top + y) * IMAGE_SIDE + left + x] = roundEven(digit[y * newWide + x]);
    }
  }
  return {
    pixels,
    place: (x, y) => [
      left + ((x + by - box[0]) * newWide) / wide,
      top + ((y + by - box[1]) * newHigh) / high,
    ],
  };
}

/** Left, top, right and bottom of the smallest box that holds everything marked. */
function extentOf(marked, width, height) {
  const box = [width, height, 0, 0];
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      if (!marked[y * width + x]) continue;
      box[0] = Math.min(box[0], x);
      box[1] = Math.min(box[1], y);
      box[2] = Math.max(box[2], x + 1);
      box[3] = Math.max(box[3], y + 1);
    }
  }
  return box;
}

/** The row and the column where levels balance. */
function centreOfMass(levels, width, height) {
  let total = 0;
  let rows = 0;
  let columns = 0;
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const level = levels[y * width + x];
      total += level;
      rows += level * y;
      columns += level * x;
    }
  }
  return { row: rows / total, column: columns / total };
}

// Strokes to the 28x28 image that MNIST would have held, as dlcli/vision makes it from a picture.

const PICTURE_SIDE = 128; // of the drawing, in pixels
const IMAGE_SIDE = 28;
const DIGIT_SIDE = 20;
const CENTRE = 14;
const MIN_STROKE_WIDTH = 2.6; // in pixels of the 20x20; 95 % of MNIST's digits have wider strokes than 1.8

// The limits of dlcli/vision/components.py, as ratios.
const NEAR = 0.25; // distance of a part to length of the largest part
const SPECK = 0.03; // path of a part to that of the largest
const FRAMED = 0.3; // length of a digit to that of the frame around it
const SIMILAR_HEIGHT = 0.6; // of two digits
const OVERLAP = 0.25; // of two digits to width of the narrower

/**
 * @typedef {Object} Stroke
 * @property {number} width - of the pen
 * @property {number[][]} points - in pixels of the picture
 *
 * @typedef {Object} Component - strokes that touch each other
 * @property {Stroke[]} strokes
 * @property {number} left - of its box, as top, right, bottom, width and height are
 * @property {number} length - the longer side of its box
 * @property {number} path - the length of the strokes
 * @property {number} thickness - the mean width of the strokes, measured along rows or columns
 *
 * @typedef {Object} Digit - what the network sees
 * @property {Uint8Array} pixels - the 28x28, from 0 (background) to 255
 * @property {string|null} reason - the RejectionReason if it is not one digit
 * @property {function(number, number): number[]} toImage - maps a point of the picture, its sides 1,
 *   to one of the 28x28
 */

/** Points at equal distances along a stroke: a third of its width. */
function samples({ width, points }) {
  const result = [points[0]];
  for (const [x, y] of points) {
    const [fromX, fromY] = result[result.length - 1];
    const steps = Math.floor(Math.hypot(x - fromX, y - fromY) / (width / 3));
    for (let k = 1; k <= steps; k++) {
      result.push([fromX + ((x - fromX) * k) / steps, fromY + ((y - fromY) * k) / steps]);
    }
  }
  return result;
}

function touch(one, other) {
  const reach = (one.width + other.width) / 2 + 1; // neighbouring pixels touch
  const points = samples(other);
  return samples(one).some(([x, y]) => points.some(([u, v]) => (x - u) ** 2 + (y - v) ** 2 <= reach ** 2));
}

/**
 * Measure strokes and their box, as far as it lies in the picture. A diagonal stroke is up to 1.4
 * times as thick as the pen, along rows and columns.
 * @returns {Component}
 */
function measure(strokes) {
  let [left, top, right, bottom] = [PICTURE_SIDE, PICTURE_SIDE, 0, 0];
  let [path, area] = [0, 0];
  for (const { width: pen, points } of strokes) {
    path += pen;
    area += pen * pen;
    points.forEach(([x, y], i) => {
      [left, top] = [Math.min(left, x - pen / 2), Math.min(top, y - pen / 2)];
      [right, bottom] = [Math.max(right, x + pen / 2), Math.max(bottom, y + pen / 2)];
      const [fromX, fromY] = points[Math.max(i - 1, 0)];
      const sides = [Math.abs(x - fromX), Math.abs(y - fromY)];
      const step = Math.hypot(...sides);
      path += step;
      if (step) area += (step * pen * step) / Math.max(...sides);
    });
  }
  [left, top] = [Math.max(left, 0), Math.max(top, 0)];
  [right, bottom] = [Math.min(right, PICTURE_SIDE), Math.min(bottom, PICTURE_SIDE)];
  const size = { width: right - left, height: bottom - top, length: Math.max(right - left, bottom - top) };
  return { strokes, left, top, right, bottom, ...size, path, thickness: area / path };
}

/** Group strokes that touch. */
function componentsOf(strokes) {
  let groups = [];
  for (const stroke of strokes) {
    const touched = groups.filter((group) => group.some((other) => touch(stroke, other)));
    groups = [...groups.filter((group) => !touched.includes(group)), [...touched.flat(), stroke]];
  }
  return groups.map(measure);
}

/** The distance of two boxes along an axis; below 0 if they overlap. */
function gap(one, other, start, end) {
  return Math.max(one[start], other[start]) - Math.min(one[end], other[end]);
}

/** Whether a component looks like another digit beside the largest one. */
function isOtherDigit(one, largest) {
  return gap(one, largest, 'left', 'right') >= -OVERLAP * Math.min(one.width, largest.width)
    && gap(one, largest, 'top', 'bottom') < 0
    && Math.min(one.height, largest.height) >= SIMILAR_HEIGHT * Math.max(one.height, largest.height);
}

/** Whether a component is drawn around another, as the box of a form is. */
function isFrame(one, inner) {
  return inner.length >= FRAMED * one.length
    && one.left < inner.left && one.top < inner.top && one.right > inner.right && one.bottom > inner.bottom;
}

/** Whether a component is near the largest one, and no speck. */
function isPart(one, largest) {
  return one.path >= SPECK * largest.path
    && gap(one, largest, 'left', 'right') < NEAR * largest.length
    && gap(one, largest, 'top', 'bottom') < NEAR * largest.length;
}

/**
 * Find the digit: the largest component that is no frame, and its other parts.
 * @param {Stroke[]} strokes
 * @returns {Digit}
 */
function digitOf(strokes) {
  const found = componentsOf(strokes);
  const components = found.filter((one) => !found.some((inner) => isFrame(one, inner)));
  const largest = components.reduce((best, one) => (one.path > best.path ? one : best));
  const parts = components.filter((one) => isPart(one, largest));
  const reason = components.some((one) => isOtherDigit(one, largest)) ? 'SEVERAL_DIGITS' : null;
  return { ...render(measure(parts.flatMap((part) => part.strokes))), reason };
}

/** Draw strokes in the context's present scale. */
function paintStrokes(context, strokes) {
  context.lineCap = 'round';
  context.lineJoin = 'round';
  for (const { width, points } of strokes) {
    context.lineWidth = width;
    context.beginPath();
    context.moveTo(points[0][0] - 0.01, points[0][1]); // browsers need not draw a line of length 0
    points.forEach((point) => context.lineTo(...point));
    context.stroke();
  }
}

/** Draw a digit as MNIST's are: scaled to 20x20, strokes not too thin, its centre of mass in the middle. */
function render(digit) {
  const growth = Math.max((MIN_STROKE_WIDTH * digit.length) / DIGIT_SIDE - digit.thickness, 0);
  const strokes = digit.strokes.map(({ width, points }) => ({ width: width + growth, points }));
  const [left, top] = [digit.left - growth / 2, digit.top - growth / 2];
  const scale = DIGIT_SIDE / (digit.length + growth);
  // The sides of the digit in pixels, and the scale that makes them whole numbers.
  const [width, height] = [digit.width, digit.height].map((side) => Math.max(Math.round((side + growth) * scale), 1));
  const [scaleX, scaleY] = [width / (digit.width + growth), height / (digit.height + growth)];
  const context = newCanvas(DIGIT_SIDE).getContext('2d', { willReadFrequently: true });
  context.setTransform(scaleX, 0, 0, scaleY, -left * scaleX, -top * scaleY);
  paintStrokes(context, strokes);
  const levels = context.getImageData(0, 0, width, height).data.filter((_, i) => i % 4 === 3); // opacity

  const brightest = levels.reduce((a, b) => Math.max(a, b));
  const mass = total(levels);
  const offset = (coordinate, side) => {
    const centre = levels.reduce((sum, level, i) => sum + level * coordinate(i), 0) / mass;
    return Math.min(Math.max(CENTRE - Math.round(centre), 0), IMAGE_SIDE - side);
  };
  const x = offset((i) => i % width, width);
  const y = offset((i) => Math.floor(i / width), height);
  const pixels = new Uint8Array(IMAGE_SIDE * IMAGE_SIDE);
  levels.forEach((level, i) => {
    pixels[(y + Math.floor(i / width)) * IMAGE_SIDE + x + (i % width)] = Math.round((255 * level) / brightest);
  });
  return {
    pixels,
    toImage: (u, v) => [x + (u * PICTURE_SIDE - left) * scaleX, y + (v * PICTURE_SIDE - top) * scaleY],
  };
}

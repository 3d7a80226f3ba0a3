// A picture to the 28x28 that MNIST would have held: the arithmetic of dlcli/images.py.

const CENTRE_TOLERANCE = 0.6;
const DARK_BORDER = 16;
const FAINTEST_DIGIT = 24;

/**
 * @typedef {View} Prepared
 * @property {boolean} unchanged - whether the picture was like MNIST's own
 */

/**
 * The 28x28 that MNIST would have held.
 * @param {Grey} grey
 * @param {function(Uint8Array): number} unlike - how unlike a digit a 28x28 is, from 0 to 1
 * @param {boolean} hurried - take what is seen first
 * @returns {Prepared}
 */
function prepare(grey, unlike, hurried = false) {
  if (grey.width === IMAGE_SIDE && grey.height === IMAGE_SIDE) {
    for (const lightOnDark of [grey.levels, inverse(grey.levels)]) {
      if (isLikeMnist(lightOnDark)) {
        return { pixels: lightOnDark, unchanged: true, doubt: null, place: (x, y) => [x, y] };
      }
    }
  }
  return { ...lookAt(grey, unlike, hurried), unchanged: false };
}

function isLikeMnist(levels) {
  if (maximum(levels) < FAINTEST_DIGIT) return false;
  let border = 0;
  for (let i = 0; i < IMAGE_SIDE; i++) {
    border += levels[i] + levels[(IMAGE_SIDE - 1) * IMAGE_SIDE + i];
    border += levels[i * IMAGE_SIDE] + levels[i * IMAGE_SIDE + IMAGE_SIDE - 1];
  }
  if (border / (4 * IMAGE_SIDE) > DARK_BORDER) return false;
  const [left, top, right, bottom] = extentOf(levels, IMAGE_SIDE, IMAGE_SIDE);
  const { row, column } = centreOfMass(levels, IMAGE_SIDE, IMAGE_SIDE);
  return Math.max(right - left, bottom - top) <= DIGIT_SIDE
    && Math.abs(row - CENTRE) <= CENTRE_TOLERANCE
    && Math.abs(column - CENTRE) <= CENTRE_TOLERANCE;
}

/**
 * A 28x28 turned, scaled and shifted a little, as the same digit could have been.
 * @param {Uint8Array} pixels
 * @param {number[][]} maps - one for each look but the picture itself, which is the first
 * @returns {Uint8Array[]}
 */
function looksOf(pixels, maps) {
  return [pixels, ...maps.map((map) => transformed(pixels, IMAGE_SIDE, map))];
}

// From an image to a prediction: the rules of dlcli/inference/predictor.py.

// Variants shown to the network at once, so that the page can respond in between.
const VARIANTS_AT_ONCE = 4;

/**
 * @typedef {Object} Prediction
 * @property {number[]} probabilities - of each digit
 * @property {string|null} reason - the RejectionReason if there is no prediction
 * @property {number} variants - how many variants it is the mean of
 */

/** The value at a point between pixels, each of which stands for its middle; 0 outside. */
function bilinear(values, x, y) {
  if (x < 0 || x >= IMAGE_SIDE || y < 0 || y >= IMAGE_SIDE) return 0;
  const clamp = (k) => Math.min(Math.max(k, 0), IMAGE_SIDE - 1);
  const [column, row] = [Math.floor(x - 0.5), Math.floor(y - 0.5)];
  const [left, right] = [clamp(column), clamp(column + 1)];
  const along = (line) => {
    const start = clamp(line) * IMAGE_SIDE;
    return values[start + left] + (values[start + right] - values[start + left]) * (x - 0.5 - column);
  };
  const above = along(row);
  return above + (along(row + 1) - above) * (y - 0.5 - row);
}

/** An image turned, scaled and shifted: its pixel (x, y) shows what is at (ax + by + c, dx + ey + f). */
function transformed(pixels, [a, b, c, d, e, f]) {
  return pixels.map((_, i) => {
    const [x, y] = [(i % IMAGE_SIDE) + 0.5, Math.floor(i / IMAGE_SIDE) + 0.5];
    return bilinear(pixels, a * x + b * y + c, d * x + e * y + f);
  });
}

/** Digits, the most probable first. */
function ranked(probabilities) {
  return [...probabilities.keys()].sort((one, other) => probabilities[other] - probabilities[one]);
}

/** The reason to reject an image, given the probability that it is not a digit. */
function rejectionReason({ threshold }, oodScore, probabilities) {
  if (oodScore > threshold) return 'NOT_A_DIGIT';
  return oodScore + 1 - Math.max(...probabilities) > threshold ? 'AMBIGUOUS' : null;
}

/**
 * Predict an image as it is, then as the mean over its variants.
 * @param {{network: Network, rejection: Network, threshold: number, maps: number[][]}} model
 * @param {Digit} digit
 * @param {Pass} pass - of the image as it is
 * @yields {Prediction|null} null: a few variants are done, more are to come
 */
function* predictions(model, digit, pass) {
  const sums = new Array(pass.logits.length).fill(0);
  let oodScore = 0;
  const add = (pixels, itsPass) => {
    probabilitiesOf(model.network, itsPass).forEach((p, k) => { sums[k] += p; });
    if (!digit.isMnist && !digit.reason) oodScore += forward(model.rejection, pixels).outputs[sums.length];
  };
  const mean = (variants) => {
    const probabilities = sums.map((sum) => sum / variants);
    const reason = digit.isMnist ? null
      : digit.reason || rejectionReason(model, oodScore / variants, probabilities);
    return { probabilities, reason, variants };
  };
  add(digit.pixels, pass);
  yield mean(1);
  if (digit.isMnist) return;
  for (const [i, map] of model.maps.entries()) {
    const variant = transformed(digit.pixels, map);
    add(variant, forward(model.network, variant));
    if ((i + 1) % VARIANTS_AT_ONCE === 0) yield null;
  }
  yield mean(model.maps.length + 1);
}

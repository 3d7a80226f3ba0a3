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
    return Math.round(bilinear(pixels, a * x + b * y + c, d * x + e * y + f));
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

/** The mean of what a network says of an image's variants, or of the first ones if that is sure. */
class VariantMean {
  /**
   * @param {number} first - how many are the first ones
   * @param {function(Uint8Array): number[]} ask - what the network says of an image
   * @param {function(number[]): boolean} isSure - whether the mean of the first can stand for that of all
   */
  constructor(first, ask, isSure) {
    Object.assign(this, { first, ask, isSure, sums: null, count: 0 });
  }

  get values() {
    return this.sums.map((sum) => sum / this.count);
  }

  get isComplete() {
    return this.count === this.first && this.isSure(this.values);
  }

  add(pixels, values = this.ask(pixels)) {
    this.sums = values.map((value, k) => value + (this.sums ? this.sums[k] : 0));
    this.count += 1;
  }
}

/**
 * Predict an image as it is, then as the mean over its variants.
 * @param {{network: Network, rejection: Network, threshold: number, maps: number[][],
 *   variants: {first: number, sureProbability: number, sureOod: number}}} model
 * @param {Digit} digit
 * @param {Pass} pass - of the image as it is
 * @yields {Prediction|null} null: a few variants are done, more are to come
 */
function* predictions(model, digit, pass) {
  const { first, sureProbability, sureOod } = model.variants;
  const classes = new VariantMean(
    first, (pixels) => probabilitiesOf(model.network, forward(model.network, pixels)),
    (probabilities) => Math.max(...probabilities) > sureProbability);
  const ood = new VariantMean(
    first, (pixels) => forward(model.rejection, pixels).outputs.slice(-1), ([score]) => score <= sureOod);
  const isScored = !digit.isMnist && !digit.reason;
  const means = isScored ? [classes, ood] : [classes];
  const mean = () => ({
    probabilities: classes.values,
    reason: isScored ? rejectionReason(model, ood.values[0], classes.values) : digit.reason || null,
    variants: classes.count,
  });
  classes.add(digit.pixels, probabilitiesOf(model.network, pass));
  if (isScored) ood.add(digit.pixels);
  yield mean();
  if (digit.isMnist) return;
  for (const [i, map] of model.maps.entries()) {
    const unsure = means.filter(({ isComplete }) => !isComplete);
    if (!unsure.length) break;
    const variant = transformed(digit.pixels, map);
    unsure.forEach((each) => each.add(variant));
    if ((i + 1) % VARIANTS_AT_ONCE === 0) yield null;
  }
  yield mean();
}

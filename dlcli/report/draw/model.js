// The model in this page, and what it answers: the rules of dlcli/prediction.py.

// Python's name for it is in dlcli/likeness.py.
const DOUBTFUL = 0.65;

/** Bytes written as base64. */
function bytesOf(base64) {
  const text = atob(base64);
  const bytes = new Uint8Array(text.length);
  for (let i = 0; i < bytes.length; i++) bytes[i] = text.charCodeAt(i);
  return bytes;
}

/** The 65,536 numbers of 16 bits (IEEE 754 binary16). */
function halves() {
  return Float32Array.from({ length: 65536 }, (_, bits) => {
    const sign = bits >> 15 ? -1 : 1;
    const exponent = (bits >> 10) & 31;
    const fraction = bits & 1023;
    if (exponent === 0) return sign * fraction * 2 ** -24;
    if (exponent === 31) return fraction ? NaN : sign * Infinity;
    return sign * (1024 + fraction) * 2 ** (exponent - 25);
  });
}

/** Weights of 8 bits, each neuron's to be multiplied by its factor, and then the biases. */
function fromBytes({ sizes, parameters, factors, biases }) {
  const codes = new Int8Array(bytesOf(parameters).buffer);
  const factor = new Float32Array(bytesOf(factors).buffer);
  const numbers = new Float32Array(codes.length + factor.length);
  let at = 0;
  let neuron = 0;
  for (let layer = 1; layer < sizes.length; layer++) {
    for (let input = 0; input < sizes[layer - 1]; input++) {
      for (let k = 0; k < sizes[layer]; k++, at++) numbers[at] = codes[at] * factor[neuron + k];
    }
    neuron += sizes[layer];
  }
  numbers.set(new Float32Array(bytesOf(biases).buffer), codes.length);
  return numbers;
}

/**
 * A network as the page holds it: all weights, then all biases, in one row of numbers.
 * @param {Object} stored
 * @returns {Network}
 */
function networkOf(stored) {
  let numbers;
  if (stored.precision === 'int8') {
    numbers = fromBytes(stored);
  } else if (stored.precision === 'float16') {
    const table = halves();
    const codes = new Uint16Array(bytesOf(stored.parameters).buffer);
    numbers = new Float32Array(codes.length);
    for (let i = 0; i < codes.length; i++) numbers[i] = table[codes[i]];
  } else {
    numbers = new Float32Array(bytesOf(stored.parameters).buffer);
  }
  let start = 0;
  const next = (count) => {
    start += count;
    return numbers.subarray(start - count, start);
  };
  const { sizes } = stored;
  const weights = sizes.slice(1).map((size, layer) => next(sizes[layer] * size));
  const biases = sizes.slice(1).map((size) => next(size));
  return { ...stored, parameters: numbers, weights, biases };
}

/** How unlike a digit pictures of one thing are: the mean over them, from 0 to 1. */
function unlikeness(likeness, pictures) {
  const shares = logitsOf(likeness, pictures).map((logits) => softmax(logits)[10]);
  return total(shares) / shares.length;
}

/**
 * Why what the network saw is no digit, or not clearly one.
 * @param {number} noDigit - how unlike a digit it is
 * @param {number[]} shares - the probability of each digit
 * @returns {string|null}
 */
function doubtOf(noDigit, shares) {
  if (noDigit > DOUBTFUL) return 'unlike any digit';
  if (noDigit + 1 - Math.max(...shares) > DOUBTFUL) {
    const [first, second] = ranked(shares);
    return `not clear: ${first} or ${second}`;
  }
  return null;
}

/** Digits, the most probable first. */
function ranked(shares) {
  return [...shares.keys()].sort((one, other) => shares[other] - shares[one]);
}

// Looks that are shown to a network at once.
const LOOKS_AT_ONCE = 4;

/**
 * @typedef {Object} Answer
 * @property {number[]|null} shares - the probability of each digit; null: nothing to see
 * @property {string|null} doubt - why there is no answer
 * @property {number} looks - how many looks have been taken
 */

/**
 * Answer a picture that is prepared, a few looks at a time: after the first, and after all.
 * @param {{network: Network, likeness: Network, maps: number[][]}} model
 * @param {Prepared} prepared
 * @param {Pass|null} pass - that of the first look, if there is anything to see
 * @returns {Generator<Answer|null>} null: not yet
 */
function* answers(model, prepared, pass) {
  if (!prepared.pixels) {
    yield { shares: null, doubt: prepared.doubt, looks: 0 };
    return;
  }
  const seen = prepared.unchanged ? [prepared.pixels] : looksOf(prepared.pixels, model.maps);
  const sums = new Array(10).fill(0);
  let noDigit = 0;
  for (let done = 0; done < seen.length;) {
    const pictures = seen.slice(done, done ? done + LOOKS_AT_ONCE : 1);
    done += pictures.length;
    for (const logits of done === 1 ? [pass.logits] : logitsOf(model.network, pictures)) {
      sharesOf(model.network, logits).forEach((share, k) => { sums[k] += share; });
    }
    if (!prepared.unchanged && !prepared.doubt) {
      noDigit += pictures.length * unlikeness(model.likeness, pictures);
    }
    const whole = done === seen.length;
    if (whole || done === 1) {
      const shares = sums.map((sum) => sum / done);
      const doubt = prepared.unchanged ? null : prepared.doubt || doubtOf(noDigit / done, shares);
      yield { shares, doubt, looks: done };
    } else {
      yield null;
    }
  }
}

/** The whole answer at once. */
function answerTo(model, grey) {
  const prepared = prepare(grey, (pixels) => unlikeness(model.likeness, [pixels]));
  let last = null;
  const pass = prepared.pixels && forwardPass(model.network, prepared.pixels);
  for (const answer of answers(model, prepared, pass)) last = answer || last;
  return { ...last, pixels: prepared.pixels };
}

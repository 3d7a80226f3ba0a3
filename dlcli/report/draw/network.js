// The multilayer perceptron: its forward pass, its cost and the slopes of that (backpropagation).
// The formulas of dlcli/network.py, activations.py, losses.py and backpropagation.py.

/**
 * @typedef {Object} Network
 * @property {number[]} sizes - neurons in every layer, from input to output
 * @property {string[]} activations - one a hidden layer
 * @property {string} output - the output activation
 * @property {string} loss
 * @property {number} temperature - what logits are divided by where probabilities are told
 * @property {Float32Array[]} weights - one a layer, a row of fan-out weights for each input
 * @property {Float32Array[]} biases
 */

const LEAK = 0.01;
const GELU_SCALE = Math.sqrt(2 / Math.PI);
const GELU_CUBIC = 0.044715;
const SIGMOID_LEAST = -80;

const sigmoid = (z) => 1 / (1 + Math.exp(-Math.max(z, SIGMOID_LEAST)));
const geluShare = (z) => 0.5 * (1 + Math.tanh(GELU_SCALE * (z + GELU_CUBIC * z * z * z)));

/** What a neuron makes of its sum z, and the slope of that. */
const ACTIVATIONS = {
  sigmoid: {
    name: 'sigmoid',
    value: sigmoid,
    slope: (z) => sigmoid(z) * (1 - sigmoid(z)),
    text: '1 / (1 + exp(−z))',
  },
  tanh: { name: 'tanh', value: Math.tanh, slope: (z) => 1 - Math.tanh(z) ** 2, text: 'tanh z' },
  relu: { name: 'ReLU', value: (z) => Math.max(z, 0), slope: (z) => (z > 0 ? 1 : 0), text: 'max(z, 0)' },
  leaky_relu: {
    name: 'leaky ReLU',
    value: (z) => (z > 0 ? z : LEAK * z),
    slope: (z) => (z > 0 ? 1 : LEAK),
    text: 'max(z, 0.01 z)',
  },
  gelu: {
    name: 'GELU',
    value: (z) => z * geluShare(z),
    slope(z) {
      const share = geluShare(z);
      return share + 2 * z * share * (1 - share) * GELU_SCALE * (1 + 3 * GELU_CUBIC * z * z);
    },
    text: 'z/2 (1 + tanh(√(2/π) (z + 0.044715 z³)))',
  },
};

const total = (values) => values.reduce((sum, value) => sum + value, 0);

function softmax(logits) {
  const shares = logits.map((z) => Math.exp(z - Math.max(...logits)));
  return shares.map((share) => share / total(shares));
}

/** What turns ten sums into answers, and answers into shares that add up to 1. */
const OUTPUTS = {
  softmax: {
    answers: softmax,
    carryBack: (slopes, outputs) => {
      const mean = total(slopes.map((slope, k) => slope * outputs[k]));
      return slopes.map((slope, k) => outputs[k] * (slope - mean));
    },
    shares: (outputs) => outputs,
  },
  sigmoid: {
    answers: (logits) => logits.map(sigmoid),
    carryBack: (slopes, outputs) => slopes.map((slope, k) => slope * outputs[k] * (1 - outputs[k])),
    shares: normalized,
  },
  linear: { answers: (logits) => logits.slice(), carryBack: (slopes) => slopes, shares: normalized },
};

function normalized(outputs) {
  let positive = outputs.map((value) => Math.max(value, 0));
  if (!total(positive)) positive = outputs.map((value) => value - Math.min(...outputs));
  const sum = total(positive);
  return positive.map((value) => (sum > 0 ? value / sum : 1 / outputs.length));
}

/** The cost of one picture and its slope along each logit, given what the answers should be. */
const LOSSES = {
  mse: {
    value: (network, logits, outputs, targets) => (
      total(outputs.map((output, k) => 0.5 * (output - targets[k]) ** 2))),
    slopes: (network, outputs, targets) => OUTPUTS[network.output].carryBack(
      outputs.map((output, k) => output - targets[k]), outputs),
  },
  cross_entropy: {
    value(network, logits, outputs, targets) {
      if (network.output === 'sigmoid') {
        return total(logits.map((z, k) => (
          Math.max(z, 0) + Math.log1p(Math.exp(-Math.abs(z))) - targets[k] * z)));
      }
      const most = Math.max(...logits);
      const shifted = logits.map((z) => z - most);
      return Math.log(total(shifted.map(Math.exp))) - total(shifted.map((z, k) => z * targets[k]));
    },
    slopes: (network, outputs, targets) => outputs.map((output, k) => output - targets[k]),
  },
};

/**
 * Weighted sums plus bias for several rows of inputs.
 * @param {Float32Array} inputs - row after row
 * @param {number} rows
 * @param {Float32Array} weight
 * @param {Float32Array} bias
 * @returns {Float32Array}
 */
function weightedSums(inputs, rows, weight, bias) {
  const out = bias.length;
  const fanIn = weight.length / out;
  const sums = new Float32Array(rows * out);
  for (let row = 0; row < rows; row++) sums.set(bias, row * out);
  let row = 0;
  for (; row + 2 <= rows; row += 2) {
    addTwoRows(inputs.subarray(row * fanIn, (row + 2) * fanIn), weight, out, sums.subarray(row * out));
  }
  if (row < rows) addRow(inputs.subarray(row * fanIn, rows * fanIn), weight, out, sums.subarray(row * out));
  return sums;
}

/**
 * Two rows at a time, four inputs at a time: each weight is read once for two products, each sum
 * once for four. Inputs that are all 0, as most pixels are, cost nothing.
 */
function addTwoRows(inputs, weight, out, sums) {
  const fanIn = inputs.length / 2;
  let i = 0;
  for (; i + 4 <= fanIn; i += 4) {
    const a0 = inputs[i];
    const a1 = inputs[i + 1];
    const a2 = inputs[i + 2];
    const a3 = inputs[i + 3];
    const b0 = inputs[fanIn + i];
    const b1 = inputs[fanIn + i + 1];
    const b2 = inputs[fanIn + i + 2];
    const b3 = inputs[fanIn + i + 3];
    if (!(a0 || a1 || a2 || a3 || b0 || b1 || b2 || b3)) continue;
    let w0 = i * out;
    let w1 = w0 + out;
    let w2 = w1 + out;
    let w3 = w2 + out;
    for (let j = 0, k = out; j < out; j++, k++) {
      const x0 = weight[w0++];
      const x1 = weight[w1++];
      const x2 = weight[w2++];
      const x3 = weight[w3++];
      sums[j] = f32(f32(f32(sums[j] + f32(a0 * x0)) + f32(a1 * x1)) + f32(f32(a2 * x2) + f32(a3 * x3)));
      sums[k] = f32(f32(f32(sums[k] + f32(b0 * x0)) + f32(b1 * x1)) + f32(f32(b2 * x2) + f32(b3 * x3)));
    }
  }
  for (; i < fanIn; i++) {
    for (let j = 0; j < out; j++) {
      sums[j] += inputs[i] * weight[i * out + j];
      sums[out + j] += inputs[fanIn + i] * weight[i * out + j];
    }
  }
}

/** The same for one row. */
function addRow(inputs, weight, out, sums) {
  let i = 0;
  for (; i + 4 <= inputs.length; i += 4) {
    const a0 = inputs[i];
    const a1 = inputs[i + 1];
    const a2 = inputs[i + 2];
    const a3 = inputs[i + 3];
    if (!(a0 || a1 || a2 || a3)) continue;
    let w0 = i * out;
    let w1 = w0 + out;
    let w2 = w1 + out;
    let w3 = w2 + out;
    for (let j = 0; j < out; j++) {
      sums[j] = f32(f32(f32(sums[j] + f32(a0 * weight[w0++])) + f32(a1 * weight[w1++]))
        + f32(f32(a2 * weight[w2++]) + f32(a3 * weight[w3++])));
    }
  }
  for (; i < inputs.length; i++) {
    for (let j = 0; j < out; j++) sums[j] += inputs[i] * weight[i * out + j];
  }
}

/** Pixels from 0 to 255 as inputs from 0 to 1, picture after picture. */
function inputsOf(pictures) {
  const inputs = new Float32Array(pictures.length * pictures[0].length);
  const scale = f32(1 / 255);
  pictures.forEach((pixels, row) => {
    for (let i = 0; i < pixels.length; i++) inputs[row * pixels.length + i] = pixels[i] * scale;
  });
  return inputs;
}

/**
 * The logits of several pictures.
 * @param {Network} network
 * @param {Uint8Array[]} pictures
 * @returns {number[][]}
 */
function logitsOf(network, pictures) {
  let values = inputsOf(pictures);
  network.weights.forEach((weight, layer) => {
    values = weightedSums(values, pictures.length, weight, network.biases[layer]);
    const activation = ACTIVATIONS[network.activations[layer]];
    if (activation) {
      for (let i = 0; i < values.length; i++) values[i] = activation.value(values[i]);
    }
  });
  const classes = values.length / pictures.length;
  return pictures.map((_, row) => [...values.subarray(row * classes, (row + 1) * classes)]);
}

/** The probability of each class, from logits; the temperature changes those of softmax alone. */
function sharesOf(network, logits) {
  const output = OUTPUTS[network.output];
  const tempered = network.output === 'softmax' ? logits.map((z) => z / network.temperature) : logits;
  return output.shares(output.answers(tempered));
}

/**
 * @typedef {Object} Pass - what a forward pass leaves behind for one picture
 * @property {Float32Array[]} values - the inputs, then each hidden layer's activations
 * @property {Float32Array[]} sums - each hidden layer's weighted sums z
 * @property {number[]} logits
 * @property {number[]} outputs - what the output activation makes of them
 */

/**
 * A forward pass that keeps everything.
 * @param {Network} network
 * @param {Uint8Array} pixels
 * @returns {Pass}
 */
function forwardPass(network, pixels) {
  const values = [inputsOf([pixels])];
  const sums = network.weights.map((weight, layer) => {
    const z = weightedSums(values[layer], 1, weight, network.biases[layer]);
    const activation = ACTIVATIONS[network.activations[layer]];
    if (activation) values.push(z.map(activation.value));
    return z;
  });
  const logits = [...sums.pop()];
  return { values, sums, logits, outputs: OUTPUTS[network.output].answers(logits) };
}

/** d W^T: how much each input of a layer has to do with the errors of its neurons. */
function sentBack(weight, errors) {
  const out = errors.length;
  const result = new Float32Array(weight.length / out);
  for (let i = 0, w = 0; i < result.length; i++) {
    let even = 0;
    let uneven = 0;
    let j = 0;
    for (; j + 1 < out; j += 2, w += 2) {
      even += weight[w] * errors[j];
      uneven += weight[w + 1] * errors[j + 1];
    }
    if (j < out) even += weight[w++] * errors[j];
    result[i] = even + uneven;
  }
  return result;
}

/**
 * The errors d = dJ/dz of every layer, the last given: d_before = (d W^T) * f'(z).
 * @param {Network} network
 * @param {Pass} pass
 * @param {number[]} last - along each logit
 * @returns {Float32Array[]} one a layer
 */
function errorsOf(network, pass, last) {
  const errors = [Float32Array.from(last)];
  for (let layer = network.weights.length - 1; layer > 0; layer--) {
    const { slope } = ACTIVATIONS[network.activations[layer - 1]];
    const sums = pass.sums[layer - 1];
    errors.unshift(sentBack(network.weights[layer], errors[0]).map((sent, i) => sent * slope(sums[i])));
  }
  return errors;
}

/**
 * One step of gradient descent on one picture, not yet taken.
 * @param {Network} network
 * @param {Uint8Array} pixels
 * @param {number} digit - the right one
 * @returns {{pass: Pass, targets: number[], cost: number, errors: Float32Array[]}}
 */
function backpropagate(network, pixels, digit) {
  const pass = forwardPass(network, pixels);
  const targets = pass.outputs.map((_, k) => (k === digit ? 1 : 0));
  const loss = LOSSES[network.loss];
  const cost = loss.value(network, pass.logits, pass.outputs, targets);
  return { pass, targets, cost, errors: errorsOf(network, pass, loss.slopes(network, pass.outputs, targets)) };
}

/** Take the step: every weight moves by -rate times its slope, dJ/dW = a^T d. */
function takeStep(network, { pass, errors }, rate) {
  network.weights.forEach((weight, layer) => {
    const out = errors[layer].length;
    pass.values[layer].forEach((value, i) => {
      if (value === 0) return;
      const factor = rate * value;
      for (let j = 0; j < out; j++) weight[i * out + j] -= factor * errors[layer][j];
    });
    const bias = network.biases[layer];
    errors[layer].forEach((error, j) => { bias[j] -= rate * error; });
  });
}

/**
 * How much each pixel speaks for one class and against another: the pixel times the slope of the
 * difference of their logits along it.
 */
function evidence(network, pass, one, other) {
  const last = pass.logits.map((_, k) => (k === one ? 1 : 0) - (k === other ? 1 : 0));
  const slopes = sentBack(network.weights[0], errorsOf(network, pass, last)[0]);
  return slopes.map((slope, i) => slope * pass.values[0][i]);
}

// The multilayer perceptron: its forward pass and its loss. The formulas are those of dlcli/nn.

/**
 * @typedef {Object} Network
 * @property {number[]} sizes - neurons in every layer, from input to output
 * @property {string[]} activations - one for each hidden layer
 * @property {string} output - the output activation
 * @property {string} loss
 * @property {number} temperature - divides the logits before softmax turns them into probabilities
 * @property {Float32Array|Float64Array} parameters - all weights, then all biases
 * @property {(Float32Array|Float64Array)[]} weights - views of the parameters, one a layer: a row for each input
 * @property {(Float32Array|Float64Array)[]} biases
 * @property {Set<number>[]} [off] - the neurons of each hidden layer that are switched off: their value is 0
 *
 * @typedef {Object} Pass - what a forward pass leaves behind
 * @property {Float64Array[]} values - the inputs, then the activations of each hidden layer
 * @property {Float64Array[]} sums - the weighted sums z of each hidden layer
 * @property {number[]} logits
 * @property {number[]} outputs - the logits after the output activation
 */

const LEAK = 0.01;
const GELU_SCALE = Math.sqrt(2 / Math.PI);
const GELU_CUBIC = 0.044715;

const sigmoid = (z) => 1 / (1 + Math.exp(-z));
const geluGate = (z) => 0.5 * (1 + Math.tanh(GELU_SCALE * (z + GELU_CUBIC * z * z * z)));
const total = (values) => values.reduce((sum, value) => sum + value, 0);

const ACTIVATIONS = {
  linear: { name: 'linear', text: 'z', value: (z) => z, derivative: () => 1 },
  sigmoid: { name: 'sigmoid', text: '1 / (1 + exp(−z))', value: sigmoid, derivative: (z) => sigmoid(z) * (1 - sigmoid(z)) },
  tanh: { name: 'tanh', text: 'tanh z', value: Math.tanh, derivative: (z) => 1 - Math.tanh(z) ** 2 },
  relu: { name: 'ReLU', text: 'max(z, 0)', value: (z) => Math.max(z, 0), derivative: (z) => (z > 0 ? 1 : 0) },
  leaky_relu: {
    name: 'leaky ReLU',
    text: 'max(z, 0.01 z)',
    value: (z) => (z > 0 ? z : LEAK * z),
    derivative: (z) => (z > 0 ? 1 : LEAK),
  },
  gelu: {
    name: 'GELU',
    text: 'z/2 (1 + tanh(√(2/π) (z + 0.044715 z³)))',
    value: (z) => z * geluGate(z),
    derivative(z) {
      const gate = geluGate(z);
      return gate + 2 * z * gate * (1 - gate) * GELU_SCALE * (1 + 3 * GELU_CUBIC * z * z);
    },
  },
};

function softmax(logits) {
  const most = Math.max(...logits); // exp cannot overflow then
  const powers = logits.map((z) => Math.exp(z - most));
  const sum = total(powers);
  return powers.map((power) => power / sum);
}

/** Outputs that are no probabilities yet, scaled to add up to 1. */
function normalized(outputs) {
  let positive = outputs.map((value) => Math.max(value, 0));
  if (!total(positive)) positive = outputs.map((value) => value - Math.min(...outputs));
  const sum = total(positive);
  return positive.map((value) => (sum > 0 ? value / sum : 1 / outputs.length));
}

/** Output activations; `backward` turns a gradient by the outputs into one by the logits. */
const OUTPUTS = {
  softmax: {
    forward: softmax,
    backward(gradient, outputs) {
      const mean = total(gradient.map((g, k) => g * outputs[k]));
      return gradient.map((g, k) => outputs[k] * (g - mean));
    },
    probabilities: (outputs) => outputs,
  },
  sigmoid: {
    forward: (logits) => logits.map(sigmoid),
    backward: (gradient, outputs) => gradient.map((g, k) => g * outputs[k] * (1 - outputs[k])),
    probabilities: normalized,
    isBinary: true, // each digit is a yes or no of its own
  },
  linear: { forward: (logits) => logits, backward: (gradient) => gradient, probabilities: normalized },
};

/** Losses of one image and their gradients by the logits. */
const LOSSES = {
  mse: {
    value: (network, { outputs }, targets) => total(outputs.map((y, k) => 0.5 * (y - targets[k]) ** 2)),
    gradient: (network, { outputs }, targets) => OUTPUTS[network.output].backward(
      outputs.map((y, k) => y - targets[k]), outputs),
  },
  cross_entropy: {
    value(network, { logits }, targets) {
      if (OUTPUTS[network.output].isBinary) {
        return total(logits.map((z, k) => Math.max(z, 0) + Math.log1p(Math.exp(-Math.abs(z))) - targets[k] * z));
      }
      const most = Math.max(...logits);
      return Math.log(total(logits.map((z) => Math.exp(z - most))))
        - total(logits.map((z, k) => (z - most) * targets[k]));
    },
    gradient: (network, { outputs }, targets) => outputs.map((y, k) => y - targets[k]),
  },
};

/** inputs · W + b for one image; inputs of 0, as most pixels are, cost nothing. */
function weightedSums(inputs, weight, bias) {
  const sums = Float64Array.from(bias); // faster than 32 bits, to and from which JavaScript converts
  const out = bias.length;
  for (let i = 0; i < inputs.length; i++) {
    const input = inputs[i];
    if (input === 0) continue;
    const row = weight.subarray(i * out, (i + 1) * out);
    for (let j = 0; j < out; j++) sums[j] += input * row[j];
  }
  return sums;
}

/** Pixels from 0 (background) to 255 as inputs from 0 to 1. */
const scaled = (pixels) => Float64Array.from(pixels, (level) => level / 255);

/** Run the network on the inputs of one image; returns a Pass. */
function forwardFrom(network, inputs) {
  const values = [inputs];
  const sums = network.weights.map((weight, layer) => {
    const z = weightedSums(values[layer], weight, network.biases[layer]);
    if (layer < network.activations.length) {
      const a = z.map(ACTIVATIONS[network.activations[layer]].value);
      if (network.off) network.off[layer].forEach((j) => { a[j] = 0; });
      values.push(a);
    }
    return z;
  });
  const logits = [...sums.pop()];
  return { values, sums, logits, outputs: OUTPUTS[network.output].forward(logits) };
}

/** Run the network on one image, pixels from 0 to 255; returns a Pass. */
const forward = (network, pixels) => forwardFrom(network, scaled(pixels));

/** The probability of each class; the temperature applies to softmax alone. */
function probabilitiesOf(network, { logits, outputs }) {
  if (network.output === 'softmax') return softmax(logits.map((z) => z / network.temperature));
  return OUTPUTS[network.output].probabilities(outputs);
}

/** The weights and biases of each layer, as views of one array: all weights, then all biases. */
function splitParameters(parameters, sizes) {
  let end = 0;
  const next = (count) => {
    end += count;
    return parameters.subarray(end - count, end);
  };
  const weights = sizes.slice(1).map((size, layer) => next(sizes[layer] * size));
  const biases = sizes.slice(1).map((size) => next(size));
  return { parameters, weights, biases };
}

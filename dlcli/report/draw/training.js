// Backpropagation and gradient descent: how a network learns from examples. The formulas and their
// names are those of dlcli/nn/backpropagation.py.
//
// Each layer of a network takes the values a_before of the layer before it, and computes
//
//     z = a_before W + b        a = f(z)
//
// The sums z of the last layer are the logits. From them come the outputs, and the cost J, which says
// how wrong the outputs are. Which weight is to blame, and how much? Going back, the error of a layer,
// d = dJ/dz, says how fast J grows with each of its sums. It gives the gradient of the layer's weights
// and biases, and the error of the layer before:
//
//     dJ/dW = a_beforeᵀ d       dJ/db = d        d_before = (d Wᵀ) f'(z_before)
//
// So one walk back through the layers finds the gradient of J by every parameter. Gradient descent
// then moves each parameter a little the other way.
//
// Source: Rumelhart, Hinton and Williams, "Learning representations by back-propagating errors", 1986.

/**
 * @typedef {Object} Example
 * @property {Float64Array} inputs
 * @property {number} label - the right class
 */

// ---- Backpropagation: from one example to its gradient ----

/** Go forward with one example, and back: its loss J and the errors of every layer. */
function backpropagate(network, inputs, label) {
  const pass = forwardFrom(network, inputs);
  const targets = pass.outputs.map((_, k) => (k === label ? 1 : 0));
  const { value, gradient } = LOSSES[network.loss];
  const errors = errorsOf(network, pass, gradient(network, pass, targets));
  return { pass, targets, loss: value(network, pass, targets), errors };
}

/** The errors d = dJ/dz of every layer, from those of the last: d_before = (d Wᵀ) f'(z_before). */
function errorsOf(network, pass, last) {
  const errors = [Float64Array.from(last)];
  for (let layer = network.activations.length - 1; layer >= 0; layer--) {
    const { derivative } = ACTIVATIONS[network.activations[layer]];
    const z = pass.sums[layer];
    const before = backThroughWeights(network.weights[layer + 1], errors[0]).map((g, j) => g * derivative(z[j]));
    if (network.off) network.off[layer].forEach((j) => { before[j] = 0; }); // its value is 0, whatever its sum
    errors.unshift(before);
  }
  return errors;
}

/** d Wᵀ: how fast J grows with each value that a layer was given. */
function backThroughWeights(weight, errors) {
  const out = errors.length;
  return new Float64Array(weight.length / out).map((_, i) => {
    let sum = 0;
    for (let j = 0, w = i * out; j < out; j++, w++) sum += weight[w] * errors[j];
    return sum;
  });
}

/** Add `factor` times the gradient of one example, dJ/dW = a_beforeᵀ d and dJ/db = d, to weights and biases. */
function addGradient({ weights, biases }, { pass, errors }, factor) {
  errors.forEach((d, layer) => {
    const [weight, bias, before] = [weights[layer], biases[layer], pass.values[layer]];
    const out = d.length;
    for (let j = 0; j < out; j++) bias[j] += factor * d[j];
    for (let i = 0; i < before.length; i++) {
      if (before[i] === 0) continue; // most pixels are 0, and so is the gradient of their weights
      const scaledValue = factor * before[i];
      for (let j = 0, w = i * out; j < out; j++, w++) weight[w] += scaledValue * d[j];
    }
  });
}

// ---- Gradient descent: from many examples to better weights ----

/** Training: gradient descent on batches of examples in random order. */
class Training {
  /**
   * @param {Network} network - its parameters change with every step
   * @param {Example[]} examples
   * @param {function(): number} random
   */
  constructor(network, examples, random) {
    Object.assign(this, { network, examples, random, steps: 0, epochs: 0 });
    this.waiting = []; // the examples that this epoch has not shown yet
    this.gradient = splitParameters(new Float64Array(network.parameters.length), network.sizes);
  }

  /**
   * One step of gradient descent: every parameter moves by -rate · dJ/dparameter.
   * @param {number} batchSize - how many examples the gradient is computed from
   * @param {number} rate - the learning rate
   * @param {function(Example, function(): number): Example} distorted - changes examples a little
   */
  step(batchSize, rate, distorted = (example) => example) {
    const batch = this.nextBatch(batchSize).map((example) => distorted(example, this.random));
    this.backpropagate(batch);
    const { parameters } = this.network;
    const gradient = this.gradient.parameters;
    for (let p = 0; p < parameters.length; p++) parameters[p] -= rate * gradient[p];
    this.steps += 1;
    this.epochs += batch.length / this.examples.length;
  }

  /** Fill `gradient` with that of the batch's cost J, the mean of its examples' losses. */
  backpropagate(batch) {
    this.gradient.parameters.fill(0);
    for (const { inputs, label } of batch) {
      addGradient(this.gradient, backpropagate(this.network, inputs, label), 1 / batch.length);
    }
  }

  /** The next examples; once all have been taken, they are shuffled, and a new epoch begins. */
  nextBatch(size) {
    if (!this.waiting.length) this.waiting = shuffled(this.examples, this.random);
    return this.waiting.splice(-size);
  }
}

// A page stays responsive if it measures no more examples than these without a pause.
const EXAMPLES_AT_ONCE = 50;

/**
 * Measure how well a network does, with pauses.
 * @yields {undefined}
 * @returns {{cost: number, accuracy: number}|null} null if there are no examples
 */
function* measured(network, examples) {
  let [cost, right] = [0, 0];
  for (const [i, { inputs, label }] of examples.entries()) {
    const pass = forwardFrom(network, inputs);
    cost += LOSSES[network.loss].value(network, pass, pass.outputs.map((_, k) => (k === label ? 1 : 0)));
    right += pass.logits.indexOf(Math.max(...pass.logits)) === label;
    if ((i + 1) % EXAMPLES_AT_ONCE === 0) yield;
  }
  return examples.length ? { cost: cost / examples.length, accuracy: right / examples.length } : null;
}

// ---- The start ----

/**
 * A network that has learned nothing yet. Its biases are 0. Its weights are random, or all neurons of
 * a layer would stay alike for ever; the more inputs a neuron adds up, the smaller they are.
 * @param {{sizes: number[], activation: string, loss: string, scale: number}} plan - scale: of the first weights
 * @param {function(): number} random
 * @returns {Network}
 */
function newNetwork({ sizes, activation, loss, scale = 1 }, random) {
  const count = sizes.slice(1).reduce((sum, size, layer) => sum + (sizes[layer] + 1) * size, 0);
  const network = {
    sizes,
    activations: sizes.slice(1, -1).map(() => activation),
    output: 'softmax',
    loss,
    temperature: 1,
    off: sizes.slice(1, -1).map(() => new Set()),
    ...splitParameters(new Float64Array(count), sizes),
  };
  network.weights.forEach((weight, layer) => {
    const usual = Math.sqrt(6 / (sizes[layer] + sizes[layer + 1])); // Glorot and Bengio, 2010
    const limit = layer ? usual : scale * usual;
    weight.forEach((_, w) => { weight[w] = limit * (2 * random() - 1); });
  });
  return network;
}

/**
 * Random numbers from 0 to 1, the same for the same seed.
 * Source: Park, Miller and Stockmeyer, "Another test for randomness", 1993.
 */
function randomNumbers(seed) {
  const modulus = 2 ** 31 - 1;
  let state = seed;
  const next = () => {
    state = (48271 * state) % modulus;
    return state / modulus;
  };
  for (let i = 0; i < 10; i++) next(); // the first ones of small seeds are alike
  return next;
}

/** The same in random order. Source: Fisher and Yates, in Durstenfeld's form, 1964. */
function shuffled(values, random) {
  const result = [...values];
  for (let last = result.length - 1; last > 0; last--) {
    const other = Math.floor(random() * (last + 1));
    [result[last], result[other]] = [result[other], result[last]];
  }
  return result;
}

// ---- What a network looked at ----

/** How much each input favours one class over another: input times gradient of the logits' difference. */
function attribution(network, pass, one, other) {
  const last = pass.logits.map((_, k) => (k === one ? 1 : 0) - (k === other ? 1 : 0));
  const gradient = backThroughWeights(network.weights[0], errorsOf(network, pass, last)[0]);
  return gradient.map((g, i) => g * pass.values[0][i]);
}

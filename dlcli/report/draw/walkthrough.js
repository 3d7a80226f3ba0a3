// A walkthrough of one step of gradient descent, with the numbers of the network and the drawn digit.

const SHOWN_TERMS = 5;
const SHOWN_WEIGHTS = 3; // of each layer
const NOTICEABLE = 1e-4; // a change of a probability or of the loss
const NEGLIGIBLE = 0.01; // an error
const RATES = [0.0001, 0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1];

const OUTPUT_TEXTS = {
  softmax: 'Softmax turns the sums z into probabilities: ŷ = exp(z) / sum of all exp(z).',
  sigmoid: 'A sigmoid turns each sum z into a number from 0 to 1: ŷ = 1 / (1 + exp(−z)).',
  linear: 'The sums are the outputs: ŷ = z.',
};

const LOSS_TEXTS = {
  mse: 'J = ½ · the sum over digits of (ŷ − y)².',
  'cross_entropy softmax': 'J = −log ŷ of the right digit: 0 if the network is certain and right, large if it is certain and wrong.',
  'cross_entropy linear': 'J = −log of the softmax of the right digit’s sum: large if another digit’s sum is larger.',
  'cross_entropy sigmoid': 'J = the sum over digits of −log ŷ for the right digit and −log (1 − ŷ) for the others.',
};

const ERROR_TEXTS = {
  'mse softmax': 'd = ŷ · (g − the sum over digits of ŷ g), with g = ŷ − y: every ŷ depends on every z.',
  'mse sigmoid': 'd = (ŷ − y) · ŷ · (1 − ŷ): the derivative of the loss times that of the sigmoid.',
  'mse linear': 'd = ŷ − y.',
  'cross_entropy softmax': 'd = ŷ − y: the logarithm in the loss undoes the exponential in the softmax.',
  'cross_entropy sigmoid': 'd = ŷ − y: the logarithm in the loss undoes the exponential in the sigmoid.',
  'cross_entropy linear': 'd = ŷ − y: the configuration combines this loss and output, and the formula is that of softmax.',
};

/** The text for a network's loss and output, or for its loss with any output. */
const textFor = (texts, { loss, output }) => texts[`${loss} ${output}`] ?? texts[loss];

/** The indices of the values farthest from 0, the farthest first. */
function largest(values, count) {
  return [...values.keys()].sort((i, j) => Math.abs(values[j]) - Math.abs(values[i]) || i - j).slice(0, count);
}

const inputName = (layer, i) => (layer ? `neuron ${thousands(i)} of layer ${layer}`
  : `pixel in row ${Math.floor(i / IMAGE_SIDE) + 1}, column ${(i % IMAGE_SIDE) + 1}`);

const neuronName = (network, layer, j) => (layer === network.weights.length - 1 ? `digit ${j}`
  : `neuron ${thousands(j)} of layer ${layer + 1}`);

/** The weights of a layer with the largest gradient, which is the input a times the error d. */
function steepest(step, layer, count) {
  const values = step.pass.values[layer];
  const errors = step.errors[layer];
  // The largest products have the largest factors.
  const found = largest(values, count).flatMap((i) => largest(errors, count).map((j) => (
    { layer, i, j, a: values[i], d: errors[j], gradient: values[i] * errors[j] })));
  return largest(found.map(({ gradient }) => gradient), count).map((place) => found[place]);
}

const line = (text) => element('p', {}, text);
const formula = (text) => element('p', { class: 'demo-formula' }, text);

class Walkthrough {
  /**
   * @param {function(string): HTMLElement} part - finds an element of the page by its name
   * @param {function(): void} changed - called after a step has changed the network
   * @param {{batchNorm: boolean, learningRate: number}} training
   */
  constructor(part, changed, training) {
    this.part = part;
    this.changed = changed;
    this.network = null;
    this.pixels = null;
    this.page = 0;
    this.steps = 0;
    this.cells = new Map(); // the values that each canvas of the page shows
    const options = (select, values) => select.append(
      ...values.map((value) => element('option', { value: `${value}` }, `${value}`)));
    options(part('target'), [...Array(10).keys()]);
    options(part('rate'), [...new Set([...RATES, training.learningRate])].sort((one, other) => one - other));
    part('rate').value = '0.01';
    part('caveats').textContent = 'Training takes many such steps, each with the mean gradient over a batch of images, '
      + 'and often with a better rule (momentum, Adam). This step uses one image and the plain rule: the weight minus '
      + 'the learning rate times its gradient.'
      + (training.batchNorm ? ' The network was trained with batch normalization, which is fused into its weights here. '
        + 'In training the gradient also flows through the normalization, and the scale and shift of each neuron are '
        + 'parameters of their own.' : '');
    part('target').addEventListener('change', () => { part('step-result').textContent = ''; this.update(); });
    part('rate').addEventListener('change', () => this.render());
    part('previous').addEventListener('click', () => this.turnTo(this.page - 1));
    part('next').addEventListener('click', () => this.turnTo(this.page + 1));
    part('take').addEventListener('click', () => this.take());
    part('reset').addEventListener('click', () => this.reset());
    this.render();
  }

  get rate() {
    return Number(this.part('rate').value);
  }

  get target() {
    return Number(this.part('target').value);
  }

  /** Show another image; `digit` is the label to begin with, null to keep the one chosen. */
  begin(network, pixels, digit) {
    this.network = network;
    this.pixels = pixels;
    if (digit !== null) this.part('target').value = `${digit}`;
    this.update();
  }

  update() {
    this.step = this.pixels && backpropagate(this.network, scaled(this.pixels), this.target);
    this.render();
  }

  turnTo(page) {
    this.page = page;
    this.render();
    this.part('step-title').focus({ preventScroll: true });
  }

  /** The pages: a title and a function that makes the content of each. */
  pages() {
    const hidden = this.network ? this.network.activations.map((_, layer) => layer) : [];
    return [
      ...hidden.map((layer) => [`Forward: layer ${layer + 1}`, () => this.forwardPage(layer)]),
      ['Forward: the outputs', () => this.outputsPage()],
      ['The loss', () => this.lossPage()],
      ['The errors of the outputs', () => this.errorsPage()],
      ...hidden.reverse().map((layer) => [`Backward: layer ${layer + 1}`, () => this.backwardPage(layer)]),
      ['The gradients of the weights', () => this.gradientsPage()],
    ];
  }

  render() {
    const { part } = this;
    const pages = this.pages();
    this.page = Math.min(this.page, pages.length - 1);
    part('path').replaceChildren(...pages.map(([title], number) => {
      const button = element('button', { type: 'button' }, title);
      if (number === this.page) button.setAttribute('aria-current', 'step');
      button.addEventListener('click', () => this.turnTo(number));
      return element('li', {}, button);
    }));
    const [title, content] = pages[this.page];
    this.cells.clear();
    part('step-title').textContent = `${this.page + 1}. ${title}`;
    part('step-body').replaceChildren(
      ...(this.step ? content() : [line('Draw a digit, or choose an example, to see its numbers here.')]));
    const isCertain = this.step && this.step.errors[this.step.errors.length - 1].every((d) => Math.abs(d) < NEGLIGIBLE);
    part('certain').textContent = isCertain ? `The network is almost certain that this is ${aDigit(this.target)}: its errors are `
      + 'nearly 0, and there is little to learn. Choose another right answer to see it learn more.' : '';
    part('previous').disabled = this.page === 0;
    part('next').disabled = this.page === pages.length - 1;
    part('take').disabled = !this.step;
    part('reset').disabled = this.steps === 0;
    part('changed').hidden = this.steps === 0 || !this.step;
    this.paint();
  }

  /** Paint the cells in the page's present colours. */
  paint() {
    for (const [canvas, values] of this.cells) paintCells(canvas, values, colours(canvas));
  }

  /** The numbers of a layer as cells. */
  figure(title, values) {
    const canvas = element('canvas', { class: 'demo-pixels', role: 'img', 'aria-label': title });
    this.cells.set(canvas, values);
    return element('figure', {}, element('figcaption', {}, title), canvas);
  }

  /** A table of the largest terms of a sum, the rest of them, and what follows. */
  sumTable(caption, columns, terms, row, ...last) {
    const shown = largest(terms, SHOWN_TERMS);
    const rest = total(terms) - total(shown.map((i) => terms[i]));
    return table(caption, columns, [
      ...shown.map((i) => [...row(i), formatted(terms[i])]),
      [`${thousands(terms.length - shown.length)} others`, '', '', formatted(rest)],
      ...last.map(([name, value]) => [name, '', '', formatted(value)]),
    ], shown.length + last.length);
  }

  /** The example neuron of a hidden layer: the one with the largest error. */
  exampleNeuron(layer) {
    return largest(this.step.errors[layer], 1)[0];
  }

  forwardPage(layer) {
    const { values, sums } = this.step.pass;
    const weight = this.network.weights[layer];
    const bias = this.network.biases[layer];
    const j = this.exampleNeuron(layer);
    const w = (i) => weight[i * bias.length + j];
    const name = neuronName(this.network, layer, j);
    const activation = ACTIVATIONS[this.network.activations[layer]];
    return [
      line(`Each of the ${thousands(bias.length)} neurons adds up its inputs a, each times a weight w, and its bias b. `
        + `Then it applies its activation function (${activation.name}). The example is ${name}, which has the largest error.`),
      formula('z = a W + b        a′ = f(z)'),
      this.sumTable(`The sum of ${name}`, ['from', 'a', 'w', 'a · w'], values[layer].map((a, i) => a * w(i)),
        (i) => [inputName(layer, i), formatted(values[layer][i]), formatted(w(i))],
        ['bias b', bias[j]], ['sum z', sums[layer][j]]),
      formula(`a′ = f(z) = ${activation.text} = ${formatted(values[layer + 1][j])}`),
      this.figure(`All of layer ${layer + 1}`, values[layer + 1]),
    ];
  }

  outputsPage() {
    const { logits, outputs } = this.step.pass;
    return [
      line(OUTPUT_TEXTS[this.network.output]),
      table('The outputs', ['digit', 'sum z', 'output ŷ'],
        logits.map((z, k) => [`${k}`, formatted(z), formatted(outputs[k])]), this.target),
      line('As in training, these are the outputs for this one image. The prediction at the top is different: it is '
        + 'the mean over the variants, with the temperature applied.'),
    ];
  }

  lossPage() {
    const { loss, pass } = this.step;
    const { loss: name, output } = this.network;
    const value = name === 'cross_entropy' && output === 'softmax' ? `−log ${formatted(pass.outputs[this.target])} = ` : '';
    return [
      line(`How wrong is that, if ${this.target} is right? The target y is 1 for ${this.target} and 0 for the others.`),
      formula(textFor(LOSS_TEXTS, this.network)),
      formula(`J = ${value}${formatted(loss)}`),
    ];
  }

  errorsPage() {
    const { pass, targets, errors } = this.step;
    const last = errors[errors.length - 1];
    return [
      line('Which way should each sum z move? The error d = dJ/dz is how fast the loss grows with it: '
        + 'above 0, z is too large; below 0, too small.'),
      formula(textFor(ERROR_TEXTS, this.network)),
      table('The error of each output', ['digit', 'output ŷ', 'target y', 'error d'],
        targets.map((y, k) => [`${k}`, formatted(pass.outputs[k]), `${y}`, formatted(last[k])]), this.target),
    ];
  }

  backwardPage(layer) {
    const { errors, pass } = this.step;
    const j = this.exampleNeuron(layer);
    const next = errors[layer + 1];
    const w = (k) => this.network.weights[layer + 1][j * next.length + k];
    const terms = next.map((d, k) => d * w(k));
    const sum = formatted(total(terms));
    const z = pass.sums[layer][j];
    const derivative = formatted(ACTIVATIONS[this.network.activations[layer]].derivative(z));
    const name = neuronName(this.network, layer, j);
    return [
      line('The chain rule: the error of a neuron is the sum of the errors of the neurons that it feeds, each times the '
        + `weight between them, times the derivative of its own activation function. The example is ${name}.`),
      formula('d = (d Wᵀ) · f′(z)'),
      this.sumTable(`The error of ${name}`, ['to', 'd', 'w', 'd · w'], terms,
        (k) => [neuronName(this.network, layer + 1, k), formatted(next[k]), formatted(w(k))], ['d Wᵀ', total(terms)]),
      formula(`d = ${sum} · f′(${formatted(z)}) = ${sum} · ${derivative} = ${formatted(errors[layer][j])}`),
      this.figure(`The errors of all of layer ${layer + 1}`, errors[layer]),
    ];
  }

  gradientsPage() {
    const { network, rate, step } = this;
    const found = network.weights.map((_, layer) => steepest(step, layer, SHOWN_WEIGHTS)).reverse().flat();
    const rows = found.map(({ layer, i, j, a, d, gradient }) => {
      const before = network.weights[layer][i * network.biases[layer].length + j];
      const change = -rate * gradient;
      const after = Math.fround(before + change); // weights have 32 bits
      return [`${inputName(layer, i)} → ${neuronName(network, layer, j)}`,
        ...[a, d, gradient].map(formatted), ...formattedChange(before, change, after)];
    });
    return [
      line('The gradient of a weight is its input times the error of its neuron. The step moves the weight the other '
        + `way, by ${rate} (the learning rate) times as much. These weights of each layer change most:`),
      formula('dJ/dW = aᵀ d        W ← W − rate · dJ/dW'),
      table('The weights that change most', ['weight', 'a', 'd', 'gradient', 'w', 'change', 'new w'], rows),
    ];
  }

  /** Take the step, and describe what it changed. */
  take() {
    const { network, target } = this;
    const measure = () => [OUTPUTS[network.output].probabilities(this.step.pass.outputs)[target], this.step.loss];
    this.original = this.original || network.parameters.slice();
    const [probability, loss] = measure();
    addGradient(network, this.step, -this.rate);
    this.steps += 1;
    this.update();
    const [newProbability, newLoss] = measure();
    let remark = '';
    if (newLoss > loss + NOTICEABLE) remark = ' The loss grew: the step was too long for so steep a gradient.';
    else if (Math.abs(newProbability - probability) < NOTICEABLE) {
      remark = ` The step is too small to notice: ${probability > 0.5
        ? 'the network was certain already. Choose another right answer, or a larger rate.' : 'choose a larger rate.'}`;
    }
    this.part('step-result').textContent = `Step ${this.steps} is taken. Probability of ${target}: `
      + `${finePercent(probability)} → ${finePercent(newProbability)}. Loss: ${formatted(loss)} → ${formatted(newLoss)}.${remark}`;
    this.part('changed').scrollIntoView({ block: 'nearest' });
    this.changed();
  }

  reset() {
    this.network.parameters.set(this.original);
    this.steps = 0;
    this.part('step-result').textContent = 'The network is as it was.';
    this.update();
    this.part('take').focus();
    this.changed();
  }
}

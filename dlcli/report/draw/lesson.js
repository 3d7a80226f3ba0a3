// One step of gradient descent on the drawn digit, told step by step with the network's numbers.

const SHOWN_TERMS = 5;
const SHOWN_WEIGHTS = 3; // of each layer
// A change of a probability, or of the cost, that is worth a word.
const NOTICED = 1e-4;
// Errors below this are hardly any.
const SURE = 0.01;
const RATES = [0.0001, 0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1];

const OUTPUT_TEXTS = {
  softmax: 'Softmax makes probabilities of the sums z: ŷ = exp(z) / sum of all exp(z).',
  sigmoid: 'A sigmoid makes each sum z a yes or no of its own: ŷ = 1 / (1 + exp(−z)).',
  linear: 'The sums are the answers: ŷ = z.',
};

const COST_TEXTS = {
  'mse softmax': 'J = ½ · the sum over digits of (ŷ − y)².',
  'mse sigmoid': 'J = ½ · the sum over digits of (ŷ − y)².',
  'mse linear': 'J = ½ · the sum over digits of (ŷ − y)².',
  'cross_entropy softmax': 'J = −log ŷ of the right digit: nothing if the network is sure and right, and large if it is sure and wrong.',
  'cross_entropy linear': 'J = −log of the softmax of the right digit’s sum: large if another digit’s sum is larger.',
  'cross_entropy sigmoid': 'J = the sum over digits of −log of what each yes or no gave to the truth.',
};

const ERROR_TEXTS = {
  'mse softmax': 'd = ŷ · (g − the sum over digits of ŷ g), with g = ŷ − y: every ŷ depends on every z.',
  'mse sigmoid': 'd = (ŷ − y) · ŷ · (1 − ŷ): the slope of the cost times that of the sigmoid.',
  'mse linear': 'd = ŷ − y.',
  'cross_entropy softmax': 'd = ŷ − y: the logarithm in the cost undoes the exponential in the softmax.',
  'cross_entropy sigmoid': 'd = ŷ − y: the logarithm in the cost undoes the exponential in the sigmoid.',
  'cross_entropy linear': 'd = ŷ − y, as the configuration pairs them: the formula of softmax and sigmoid.',
};

/** The largest of some values by size: their indices, the largest first. */
function largest(values, count) {
  const order = Array.from(values, (value, i) => [Math.abs(value), i]);
  return order.sort((one, other) => other[0] - one[0] || one[1] - other[1]).slice(0, count).map(([, i]) => i);
}

/** How an input of a layer is called. */
function inputName(layer, i) {
  return layer ? `neuron ${counted(i)} of layer ${layer}`
    : `pixel in row ${Math.floor(i / IMAGE_SIDE) + 1}, column ${(i % IMAGE_SIDE) + 1}`;
}

/** How a neuron is called. */
function neuronName(network, layer, j) {
  return layer === network.weights.length - 1 ? `digit ${j}` : `neuron ${counted(j)} of layer ${layer + 1}`;
}

/**
 * The weights of a layer that change most: J's slope along each is the input a times the error d.
 * @returns {{layer: number, i: number, j: number, a: number, d: number, slope: number}[]}
 */
function steepest(step, layer, count) {
  const values = step.pass.values[layer];
  const errors = step.errors[layer];
  // The largest products are of the largest factors.
  const found = largest(values, count).flatMap((i) => largest(errors, count).map((j) => (
    { layer, i, j, a: values[i], d: errors[j], slope: values[i] * errors[j] })));
  return largest(found.map(({ slope }) => slope), count).map((place) => found[place]);
}

const line = (...parts) => element('p', {}, ...parts);
const formula = (text) => element('p', { class: 'demo-formula' }, text);

/** The lesson: its pages follow from the network, its numbers from what is drawn. */
class Lesson {
  /**
   * @param {HTMLElement} host
   * @param {function(): void} taken - told when the network has changed
   * @param {{batchNorm: boolean, learningRate: number}} training
   */
  constructor(host, taken, training) {
    const part = (name) => host.querySelector(`#demo-${name}`);
    this.part = part;
    this.taken = taken;
    this.network = null;
    this.pixels = null;
    this.page = 0;
    this.steps = 0;
    this.cells = new WeakMap(); // what each canvas of cells shows
    for (let digit = 0; digit < 10; digit++) {
      part('target').append(element('option', { value: `${digit}` }, `${digit}`));
    }
    const rates = [...new Set([...RATES, training.learningRate])].sort((one, other) => one - other);
    for (const rate of rates) part('rate').append(element('option', { value: `${rate}` }, `${rate}`));
    part('rate').value = '0.01';
    part('honest').textContent = 'Training takes many such steps, each with the mean slope over a batch of '
      + 'pictures, and often with a rule that makes more of it (momentum, Adam). Here it is one picture and the plain '
      + 'rule: the weight minus the learning rate times its slope.'
      + (training.batchNorm ? ' This network was trained with batch normalisation, which for use is folded into the '
        + 'weights: the chain rule below is that of the folded network. In training the error also passes through the '
        + 'normalisation, and each neuron’s scale is a parameter of its own.' : '');
    part('target').addEventListener('change', () => { this.part('taken').textContent = ''; this.update(); });
    part('rate').addEventListener('change', () => this.render());
    part('previous').addEventListener('click', () => this.turn(-1));
    part('next').addEventListener('click', () => this.turn(1));
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

  /** Begin with another picture; its right digit is a guess that can be changed. */
  begin(network, pixels, digit) {
    this.network = network;
    this.pixels = pixels;
    if (digit !== null) this.part('target').value = `${digit}`;
    this.update();
  }

  update() {
    this.step = this.pixels && backpropagate(this.network, this.pixels, this.target);
    this.render();
  }

  turn(by) {
    this.page += by;
    this.render();
    this.part('step-title').focus({ preventScroll: true });
  }

  /** What there is to see, page by page: a title and how to fill it. */
  pages() {
    const hidden = this.network ? this.network.activations.map((_, layer) => layer) : [];
    return [
      ...hidden.map((layer) => [`Forward: layer ${layer + 1}`, () => this.forward(layer)]),
      ['Forward: the answers', () => this.outputs()],
      ['The cost', () => this.cost()],
      ['The error of the answers', () => this.outputErrors()],
      ...[...hidden].reverse().map((layer) => [`Back: layer ${layer + 1}`, () => this.back(layer)]),
      ['The slopes of the weights', () => this.slopes()],
    ];
  }

  render() {
    const { part } = this;
    const pages = this.pages();
    this.page = Math.min(Math.max(this.page, 0), pages.length - 1);
    part('path').replaceChildren(...pages.map(([title], number) => {
      const button = element('button', { type: 'button' }, title);
      if (number === this.page) button.setAttribute('aria-current', 'step');
      button.addEventListener('click', () => this.turn(number - this.page));
      return element('li', {}, button);
    }));
    const [title, fill] = pages[this.page];
    part('step-title').textContent = `${this.page + 1}. ${title}`;
    part('step-body').replaceChildren(
      ...(this.step ? fill() : [line('Draw a digit, or choose an example: its numbers are told here.')]));
    const sure = this.step && Math.max(...this.step.errors[this.step.errors.length - 1].map(Math.abs)) < SURE;
    part('sure').textContent = sure ? `The network is all but sure that this is a ${this.target}: its errors are `
      + 'nearly 0, and there is little to learn. Choose another right answer to see it learn more.' : '';
    part('previous').disabled = this.page === 0;
    part('next').disabled = this.page === pages.length - 1;
    part('take').disabled = !this.step;
    part('reset').disabled = this.steps === 0;
    this.paint();
  }

  /** Cells are painted when their colours are known, and anew when these change. */
  paint() {
    const host = this.part('step-body');
    for (const canvas of host.querySelectorAll('canvas')) {
      paintCells(canvas, this.cells.get(canvas), colours(host));
    }
  }

  /** A layer's numbers as cells. */
  figure(title, values) {
    const canvas = element('canvas', { class: 'demo-pixels', role: 'img', 'aria-label': title });
    this.cells.set(canvas, values);
    return element('figure', {}, element('figcaption', {}, title), canvas);
  }

  /** The neuron of a hidden layer that is followed: the one with the largest error. */
  followed(layer) {
    return largest(this.step.errors[layer], 1)[0];
  }

  forward(layer) {
    const { values, sums } = this.step.pass;
    const weight = this.network.weights[layer];
    const bias = this.network.biases[layer];
    const j = this.followed(layer);
    const terms = values[layer].map((a, i) => a * weight[i * bias.length + j]);
    const shown = largest(terms, SHOWN_TERMS);
    const rest = total([...terms]) - total(shown.map((i) => terms[i]));
    const activation = this.network.activations[layer];
    const z = sums[layer][j];
    return [
      line(`Each of the ${counted(bias.length)} neurons adds up its inputs a, each times a weight w, and its bias b; `
        + `then it squashes the sum (${ACTIVATIONS[activation].name}). Followed here: ${neuronName(this.network, layer, j)}, `
        + 'whose error turns out the largest.'),
      formula('z = a W + b        a′ = f(z)'),
      table(`The sum of ${neuronName(this.network, layer, j)}`, ['from', 'a', 'w', 'a · w'], [
        ...shown.map((i) => [inputName(layer, i), told(values[layer][i]), told(weight[i * bias.length + j]), told(terms[i])]),
        [`${counted(terms.length - shown.length)} others`, '', '', told(rest)],
        ['bias b', '', '', told(bias[j])],
        ['sum z', '', '', told(z)],
      ], shown.length + 2),
      formula(`a′ = f(z) = ${ACTIVATIONS[activation].text} = ${told(values[layer + 1][j])}`),
      this.figure(`All of layer ${layer + 1}`, values[layer + 1]),
    ];
  }

  outputs() {
    const { logits, outputs } = this.step.pass;
    return [
      line(OUTPUT_TEXTS[this.network.output]),
      table('The answers', ['digit', 'sum z', 'answer ŷ'],
        logits.map((z, k) => [`${k}`, told(z), told(outputs[k])]), this.target),
      line('The step is made with the network’s own answers to this one 28 × 28, as in training: without the looks '
        + 'and the temperature that the answer above is made of.'),
    ];
  }

  cost() {
    const { cost, pass } = this.step;
    const pair = `${this.network.loss} ${this.network.output}`;
    return [
      line(`How wrong is that, if ${this.target} is right? The target y is 1 for ${this.target} and 0 for the others.`),
      formula(COST_TEXTS[pair]),
      formula(pair === 'cross_entropy softmax'
        ? `J = −log ${told(pass.outputs[this.target])} = ${told(cost)}` : `J = ${told(cost)}`),
    ];
  }

  outputErrors() {
    const { pass, targets, errors } = this.step;
    const last = errors[errors.length - 1];
    return [
      line('Which way should each sum z move? The error d = dJ/dz is how fast the cost grows with it: '
        + 'above 0, z is too large; below 0, too small.'),
      formula(ERROR_TEXTS[`${this.network.loss} ${this.network.output}`]),
      table('The error of each answer', ['digit', 'answer ŷ', 'target y', 'error d'],
        targets.map((y, k) => [`${k}`, told(pass.outputs[k]), `${y}`, told(last[k])]), this.target),
    ];
  }

  back(layer) {
    const { errors, pass } = this.step;
    const j = this.followed(layer);
    const ahead = errors[layer + 1];
    const weight = this.network.weights[layer + 1];
    const terms = ahead.map((d, k) => d * weight[j * ahead.length + k]);
    const shown = largest(terms, SHOWN_TERMS);
    const sum = total([...terms]);
    const rest = sum - total(shown.map((k) => terms[k]));
    const slope = ACTIVATIONS[this.network.activations[layer]].slope(pass.sums[layer][j]);
    return [
      line('The chain rule: a neuron is to blame for the errors of those that it speaks to, each times the weight '
        + `between them, and that times the slope of its own squashing. Followed: ${neuronName(this.network, layer, j)}.`),
      formula('d = (d Wᵀ) · f′(z)'),
      table(`The error of ${neuronName(this.network, layer, j)}`, ['to', 'd', 'w', 'd · w'], [
        ...shown.map((k) => [neuronName(this.network, layer + 1, k), told(ahead[k]),
          told(weight[j * ahead.length + k]), told(terms[k])]),
        [`${counted(terms.length - shown.length)} others`, '', '', told(rest)],
        ['d Wᵀ', '', '', told(sum)],
      ], shown.length + 1),
      formula(`d = ${told(sum)} · f′(${told(pass.sums[layer][j])}) = ${told(sum)} · ${told(slope)} = ${told(errors[layer][j])}`),
      this.figure(`The errors of all of layer ${layer + 1}`, errors[layer]),
    ];
  }

  slopes() {
    const { network, rate } = this;
    const found = network.weights.map((_, layer) => steepest(this.step, layer, SHOWN_WEIGHTS));
    const rows = found.reverse().flat().map(({ layer, i, j, a, d, slope }) => {
      const before = network.weights[layer][i * network.biases[layer].length + j];
      return [`${inputName(layer, i)} → ${neuronName(network, layer, j)}`, told(a), told(d), told(slope),
        told(before), told(-rate * slope), told(before - rate * slope)];
    });
    return [
      line('The slope along a weight is its input times the error of its neuron. The weight moves against it, by '
        + `${rate} (the learning rate) times as much. Of each layer, these change most:`),
      formula('dJ/dW = aᵀ d        W ← W − rate · dJ/dW'),
      table('The weights that change most', ['weight', 'a', 'd', 'slope', 'w', 'change', 'new w'], rows),
    ];
  }

  take() {
    const { network, target, step } = this;
    this.original = this.original || network.parameters.slice();
    const before = { share: OUTPUTS[network.output].shares(step.pass.outputs)[target], cost: step.cost };
    takeStep(network, step, this.rate);
    this.steps += 1;
    this.update();
    const after = OUTPUTS[network.output].shares(this.step.pass.outputs)[target];
    const change = after - before.share;
    let remark = '';
    if (this.step.cost > before.cost + NOTICED) remark = ' It grew: the step was too long for so steep a slope.';
    else if (Math.abs(change) < NOTICED) remark = ` So small a step is hard to see: ${before.share > 0.5
      ? 'the network was sure of it already. Choose another right answer, or a larger rate.' : 'choose a larger rate.'}`;
    this.part('taken').textContent = `Step ${this.steps} is taken. Probability of ${target}: `
      + `${finePercent(before.share)} → ${finePercent(after)}. Cost: ${told(before.cost)} → ${told(this.step.cost)}.${remark} `
      + 'The answer above is the changed network’s.';
    this.taken();
  }

  reset() {
    this.network.parameters.set(this.original);
    this.steps = 0;
    this.part('taken').textContent = 'The network is as it was.';
    this.update();
    this.part('take').focus();
    this.taken();
  }
}

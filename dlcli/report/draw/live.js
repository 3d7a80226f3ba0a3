// Small networks that train in the page: controls, and the loop that takes the steps.

const SLICE_MS = 10; // of training in each frame, so that the page stays responsive
const SHOW_MS = matchMedia('(prefers-reduced-motion: reduce)').matches ? 1500 : 150; // between two repaints
const MEASURES_PER_EPOCH = 4;
const LIVE_RATES = [0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1, 3, 10];
const LOSS_NAMES = { cross_entropy: 'cross-entropy', mse: 'squared error' };
const SPEEDS = { step: 'slow: a step a frame', full: 'fast' };

/**
 * @typedef {Object} Task - what a network learns; `Digits` and `Plane` are tasks
 * @property {{training: Example[], unseen: Example[]}} examples
 * @property {string} several - examples, in a word
 * @property {Object} start - the settings to begin with
 * @property {Object<string, (Array|Object<string, string>)>} plans - choices of its own that need a new network
 * @property {Object<string, (Array|Object<string, string>)>} changes - and those that do not
 * @property {function(Object, function(): number): void} prepare - make the examples for these settings
 * @property {function(Object): number[]} sizes - of the network's layers, with these settings
 * @property {function(Object): (undefined|function(Example, function(): number): Example)} distorted - what is
 *   done to an example before it is trained on
 * @property {function(Network, HTMLCanvasElement[][]): void} paint - show what the network and its neurons do
 */

const hiddenName = (layer, j) => `Neuron ${j + 1} of hidden layer ${layer + 1}`;

/** The cost J if all outputs are alike. */
function costOfGuessing(network) {
  const classes = network.sizes[network.sizes.length - 1];
  const alike = Array(classes).fill(1 / classes);
  return LOSSES[network.loss].value(network, { logits: alike, outputs: alike }, alike.map((_, k) => (k ? 0 : 1)));
}

/** A network that trains, with its controls, curves and neurons. */
class Live {
  /**
   * @param {HTMLElement} host
   * @param {Task} task
   */
  constructor(host, task) {
    Object.assign(this, { task, host, isPlaying: false, seed: 0, playing: null });
    this.part = (name) => host.querySelector(`[data-part="${name}"]`);
    this.settings = { loss: 'cross_entropy', speed: 'full', ...task.start };
    const activations = Object.fromEntries(Object.entries(ACTIVATIONS).map(([key, { name }]) => [key, name]));
    for (const [name, choices] of Object.entries(task.plans)) this.offer(name, choices, () => this.restart());
    for (const [name, choices] of Object.entries(task.changes)) this.offer(name, choices, () => this.change());
    this.offer('activation', activations, () => this.change());
    this.offer('loss', LOSS_NAMES, () => this.change());
    this.offer('rate', LIVE_RATES, () => this.change());
    this.offer('batch', [1, 10, 32, 100, 'all'], () => this.change());
    this.offer('speed', SPEEDS, () => {});
    this.curves = [
      new Curves(this.part('cost'), 'Cost', 'cost', (value) => formatted(value)),
      new Curves(this.part('accuracy'), 'Read correctly', 'accuracy', (value) => percent(value)),
    ];
    this.part('play').addEventListener('click', () => (this.isPlaying ? this.pause() : this.play()));
    this.part('step').addEventListener('click', () => this.stepOnce());
    this.part('pictures').addEventListener('keydown', (event) => this.moveFocus(event));
    this.part('restart').addEventListener('click', () => this.restart());
    this.part('all-on').addEventListener('click', () => this.switchAllOn());
    this.restart();
  }

  /** Fill in the choices of a setting. */
  offer(name, choices, changed) {
    const select = this.part(name);
    const options = Array.isArray(choices) ? choices.map((value) => [value, `${value}`]) : Object.entries(choices);
    select.append(...options.map(([value, text]) => element('option', { value: `${value}` }, text)));
    select.value = `${this.settings[name]}`;
    select.addEventListener('change', () => {
      const number = Number(select.value);
      this.settings[name] = Number.isNaN(number) ? select.value : number;
      changed();
    });
  }

  say(text) {
    this.part('says').textContent = text;
  }

  /** Begin again, with a new network and other random numbers. */
  restart() {
    const { settings, task } = this;
    this.seed += 1;
    const random = randomNumbers(this.seed);
    task.prepare(settings, random);
    this.network = newNetwork({ sizes: task.sizes(settings), ...settings }, random);
    this.training = new Training(this.network, task.examples.training, random);
    this.history = new History();
    this.work = this.trainedAndMeasured();
    this.makeNeurons();
    this.measureNow();
    if (!task.examples.training.length) this.setPlaying(false);
    this.say(this.isPlaying ? 'Training a new network, which began with random weights.'
      : 'A new network, with random weights. It has learned nothing yet.');
  }

  /** A setting has changed that needs no new network. */
  change() {
    const { network, settings, training, history } = this;
    network.activations.fill(settings.activation);
    network.loss = settings.loss;
    if (training.steps) history.changes.push(training.epochs);
    if (!this.isPlaying) this.measureNow();
  }

  /** One more example is to be learned from now on. */
  exampleAdded() {
    const { length } = this.task.examples.training;
    if (!this.isPlaying) this.measureNow();
    this.say(`${thousands(length)} ${this.task.several} to train on.`);
  }

  play() {
    if (!this.task.examples.training.length) {
      this.say('There is nothing to learn yet: add some points of both kinds.');
      return;
    }
    this.setPlaying(true);
    this.say('Training.');
    this.frame();
  }

  pause() {
    this.setPlaying(false);
    this.measureNow();
    this.say(`Paused after ${this.progress()}. ${this.result()}`);
  }

  setPlaying(isPlaying) {
    this.isPlaying = isPlaying;
    this.part('play').textContent = isPlaying ? 'Pause' : 'Play';
    // While it trains, what it reads changes too often to be read out.
    for (const each of this.host.querySelectorAll('[aria-live]')) {
      if (each !== this.part('says')) each.setAttribute('aria-live', isPlaying ? 'off' : 'polite');
    }
  }

  /** Train for a moment, now and in each frame of the screen from now on. */
  frame() {
    if (!this.isPlaying) return;
    const start = performance.now();
    let hasStepped = false;
    while (performance.now() < start + SLICE_MS && !(hasStepped && this.settings.speed === 'step')) {
      hasStepped = this.work.next().value === 'step';
    }
    if (this.diverged()) return;
    if (!(start < this.shownAt + SHOW_MS)) {
      this.show();
      this.shownAt = performance.now();
    }
    requestAnimationFrame(() => this.frame());
  }

  /** Train and measure without end, a piece at a time. */
  * trainedAndMeasured() {
    for (let next = 1 / MEASURES_PER_EPOCH; ; next = this.training.epochs + 1 / MEASURES_PER_EPOCH) {
      while (this.training.epochs < next - 1e-9) {
        this.step();
        yield 'step';
      }
      yield* this.measure();
    }
  }

  step() {
    const { settings, task, training } = this;
    training.step(settings.batch === 'all' ? Infinity : settings.batch, settings.rate, task.distorted(settings));
  }

  /** Add to the curves how the network does on all examples. */
  * measure() {
    const { examples } = this.task;
    const training = yield* measured(this.network, examples.training);
    const unseen = yield* measured(this.network, examples.unseen);
    this.history.add({ epochs: this.training.epochs, training, unseen });
  }

  measureNow() {
    for (const pause of this.measure()) void pause;
    this.show();
  }

  stepOnce() {
    if (this.isPlaying) this.pause();
    if (!this.task.examples.training.length) {
      this.play(); // says why not
      return;
    }
    const before = this.history.last.training.cost;
    this.step();
    this.measureNow();
    if (this.diverged()) return;
    this.say(`Step ${thousands(this.training.steps)}: cost ${formatted(before)} → ${formatted(this.history.last.training.cost)}.`);
  }

  /** Stop if the numbers have become infinite. */
  diverged() {
    const { training } = this.history.last;
    if (!training || Number.isFinite(training.cost)) return false;
    this.setPlaying(false);
    this.show();
    this.say('The weights have become infinite: each step was so long that it made the cost larger. '
      + 'Choose a lower learning rate and restart.');
    return true;
  }

  progress() {
    const { steps, epochs } = this.training;
    return `${thousands(steps)} ${steps === 1 ? 'step' : 'steps'} (${epochs.toFixed(1)} epochs)`;
  }

  result() {
    const { training, unseen } = this.history.last;
    if (!training) return '';
    const { examples, several } = this.task;
    const other = unseen ? ` and ${percent(unseen.accuracy)} of ${thousands(examples.unseen.length)} unseen ones` : '';
    const remark = training.cost > 1.05 * costOfGuessing(this.network)
      ? ' That is worse than guessing: the learning rate may be too high.' : '';
    return `Right: ${percent(training.accuracy)} of the ${several} trained on${other}.${remark}`;
  }

  show() {
    const { network, history } = this;
    this.curves.forEach((each) => each.show(history));
    const { length } = network.parameters;
    this.part('facts').textContent = `${network.sizes.join('-')} network, ${thousands(length)} weights and biases. ${this.progress()}.`;
    this.task.paint(network, this.neurons.map((layer) => layer.map(({ canvas }) => canvas)));
  }

  /** A button for each hidden neuron. */
  makeNeurons() {
    const { network } = this;
    this.neurons = network.activations.map((_, layer) => Array.from({ length: network.sizes[layer + 1] }, (__, j) => {
      const canvas = element('canvas', { class: 'demo-pixels', 'aria-hidden': 'true' });
      const button = element('button', {
        type: 'button', 'aria-pressed': 'true', 'aria-label': hiddenName(layer, j), title: hiddenName(layer, j),
      }, canvas);
      button.tabIndex = layer || j ? -1 : 0; // one stop for the Tab key; arrow keys move on
      button.addEventListener('click', () => this.toggle(layer, j));
      return { canvas, button };
    }));
    const rows = this.neurons.map((layer) => element(
      'div', { class: 'live-layer' }, ...layer.map(({ button }) => button)));
    this.part('pictures').replaceChildren(...rows);
    this.part('all-on').disabled = true;
  }

  /** Arrow keys go from neuron to neuron. */
  moveFocus(event) {
    const buttons = this.neurons.flat().map(({ button }) => button);
    const from = buttons.indexOf(event.target);
    const places = { ArrowLeft: from - 1, ArrowUp: from - 1, ArrowRight: from + 1, ArrowDown: from + 1, Home: 0, End: buttons.length - 1 };
    const next = buttons[places[event.key]];
    if (!next) return;
    event.preventDefault();
    event.target.tabIndex = -1;
    next.tabIndex = 0;
    next.focus();
  }

  /** Switch a neuron off, or on again. */
  toggle(layer, j) {
    const off = this.network.off[layer];
    const before = this.history.last;
    if (!off.delete(j)) off.add(j);
    const isOn = !off.has(j);
    this.neurons[layer][j].button.setAttribute('aria-pressed', `${isOn}`);
    this.part('all-on').disabled = this.network.off.every(({ size }) => !size);
    this.measureNow();
    const name = before.unseen ? 'unseen' : 'training';
    const change = before[name] ? ` Accuracy on the ${name} ${this.task.several}: ${percent(before[name].accuracy)} → `
      + `${percent(this.history.last[name].accuracy)}.` : '';
    this.say(`${hiddenName(layer, j)} is ${isOn ? 'on again' : 'off'}.${change}`);
  }

  switchAllOn() {
    this.network.off.forEach((off) => off.clear());
    this.neurons.flat().forEach(({ button }) => button.setAttribute('aria-pressed', 'true'));
    this.part('all-on').disabled = true;
    this.measureNow();
    this.say(`All neurons are on. ${this.result()}`);
    this.part('pictures').querySelector('button[tabindex="0"]').focus();
  }
}

// Connects the drawing, the networks and the figures.

const stored = JSON.parse(document.getElementById('demo-data').textContent);
const root = document.getElementById('demo');
const part = (name) => root.querySelector(`#demo-${name}`);
const examples = stored.examples.map(({ pixels }) => bytesOf(pixels));
const { sizes } = stored.network;

const missing = [
  ...[...new Set(stored.network.activations)].filter((name) => !ACTIVATIONS[name]),
  ...[stored.network.output].filter((name) => !OUTPUTS[name] || !OUTPUT_TEXTS[name]),
  ...[stored.network.loss].filter((name) => !LOSSES[name] || !textFor(LOSS_TEXTS, stored.network)
    || !textFor(ERROR_TEXTS, stored.network)),
];
if (missing.length) {
  part('says').textContent = `This page cannot compute ${missing.join(' and ')}: use dlcli predict.`;
  throw new Error(`no formula or text of ${missing.join(', ')}`);
}

let model = null;
let version = 0; // of the drawing; results for an older one are dropped
let latest = null; // the prediction on the page
let seen = null; // the digit that it is for, and its forward pass

const bars = ['bars', 'changed-bars'].map((name) => new Bars(part(name)));
const digits = ['digit', 'changed-digit'].map(part);
const layers = sizes.slice(1, -1).map((size, layer) => new LayerFigure(
  part('layers'), `Layer ${layer + 1} (${thousands(size)} neurons, ${ACTIVATIONS[stored.network.activations[layer]].name}):`));
const walkthrough = new Walkthrough(part, refresh, stored);
const drawing = new Drawing(part('canvas'), examples, (unfinished) => {
  drawing.paint();
  part('hint').hidden = !drawing.isEmpty && drawing.history.length > 0;
  part('hint').classList.toggle('demo-above', !drawing.isEmpty);
  part('undo').disabled = drawing.history.length === 0;
  part('clear').disabled = drawing.isEmpty;
  part('save').disabled = drawing.isEmpty;
  schedule(() => predict(unfinished));
  root.dispatchEvent(new Event('drawn'));
});

/** The networks, decoded once. */
function theModel() {
  model ??= { ...stored, network: networkOf(stored.network), rejection: networkOf(stored.rejection) };
  return model;
}

/** Do something for the drawing as it is now, before the next frame. */
function schedule(action) {
  version += 1;
  const wanted = version;
  requestAnimationFrame(() => {
    if (wanted === version) action();
  });
}

/** Predict the digit as it is at once, and its variants when the stroke is finished. */
function predict(unfinished, label = null) {
  if (drawing.isEmpty) {
    showNothing();
    return;
  }
  const { network } = theModel();
  const { digit } = drawing;
  seen = { digit, pass: forward(network, digit.pixels) };
  const iterator = predictions(model, digit, seen.pass);
  latest = iterator.next().value;
  showPrediction();
  const canvas = part('seen');
  canvas.getContext('2d').clearRect(0, 0, IMAGE_SIDE, IMAGE_SIDE);
  paintForeground(canvas, digit.pixels);
  showLayers();
  const wanted = version;
  if (!unfinished) setTimeout(() => complete(wanted, iterator, label));
}

/** Predict the other variants, a few at a time, so that the page stays responsive. */
function complete(wanted, iterator, label) {
  if (wanted !== version) return;
  const { value, done } = iterator.next();
  latest = value || latest;
  if (!done) {
    setTimeout(() => complete(wanted, iterator, label));
    return;
  }
  showPrediction();
  announce();
  showAttribution();
  walkthrough.begin(model.network, seen.digit.pixels, label ?? drawing.state.example ?? ranked(latest.probabilities)[0]);
  root.dataset.predicted = `${version}`;
}

function showNothing() {
  latest = null;
  seen = null;
  part('digit').classList.add('demo-idle');
  showDigit('–', null);
  part('says').textContent = 'Nothing is drawn yet.';
  part('state').textContent = '';
  part('attribution-text').textContent = 'Waiting for a digit.';
  for (const canvas of [part('seen'), part('attribution')]) {
    canvas.getContext('2d').clearRect(0, 0, canvas.width, canvas.height);
  }
  showLayers();
  walkthrough.begin(model && model.network, null, null);
  root.dataset.predicted = `${version}`;
}

function showDigit(text, probabilities) {
  digits.forEach((digit) => { digit.textContent = text; });
  bars.forEach((each) => each.show(probabilities));
}

function showPrediction() {
  const { probabilities, reason, variants } = latest;
  part('digit').classList.remove('demo-idle');
  showDigit(reason ? '?' : `${ranked(probabilities)[0]}`, probabilities);
  let text = `The mean over ${variants} variants of the image, slightly turned, scaled or shifted.`;
  if (seen.digit.isMnist) text = 'An image of MNIST, predicted as it is.';
  else if (variants === 1) text = 'A first prediction; the mean over its variants follows when the pen rests.';
  part('state').textContent = walkthrough.steps
    ? `${text} The network has been changed by ${walkthrough.steps} of your steps.` : text;
}

/** Say the prediction once it is final, so that a screen reader does not read out guesses. */
function announce() {
  const { probabilities, reason } = latest;
  const [first, second] = ranked(probabilities);
  part('label').value = `${drawing.state.example ?? first}`; // until somebody knows better
  const between = reason === 'AMBIGUOUS' ? `: ${first} or ${second}` : '';
  part('says').textContent = reason ? `No prediction: ${stored.reasons[reason]}${between}.`
    : `This is ${aDigit(first)} (${percent(probabilities[first])}); next is ${second} (${percent(probabilities[second])}).`;
}

function showLayers() {
  const palette = colours(root);
  layers.forEach((layer, i) => layer.show(seen && seen.pass.values[i + 1], sizes[i + 1], palette));
}

/** Colour the strokes by the digit that they favour. */
function showAttribution() {
  const [one, other] = ranked(seen.pass.logits);
  const values = attribution(model.network, seen.pass, one, other);
  paintAttribution(part('attribution'), drawing, seen.digit.toImage, values, colours(root));
  const most = strongestRegion(values);
  const least = strongestRegion(values.map((value) => -value));
  part('attribution-text').replaceChildren(
    element('span', { class: 'demo-key demo-more' }), ` favours ${one} over ${other}${most ? `, most in ${most}` : ''}; `,
    element('span', { class: 'demo-key demo-less' }), ` favours ${other} over ${one}${least ? `, most in ${least}` : ''}.`,
    ' Each pixel is multiplied by the gradient of the difference of their two sums.');
}

/** Predict the same drawing again with the changed network. */
function refresh() {
  schedule(() => predict(false, walkthrough.target));
}

const PRECISIONS = { float32: 'exact (float32)', float16: 'rounded to 16 bits (float16)' };
const parameters = sizes.slice(1).reduce((sum, size, layer) => sum + (sizes[layer] + 1) * size, 0);
part('facts').textContent = `This page holds the ${thousands(parameters)} weights and biases of ${stored.name}, `
  + `${PRECISIONS[stored.network.precision]}, and a second network that tells digits from other drawings.`;

stored.examples.forEach(({ digit }, number) => {
  const canvas = element('canvas', { class: 'demo-pixels', width: '28', height: '28', 'aria-hidden': 'true' });
  paintForeground(canvas, examples[number]);
  const button = element('button', { type: 'button', 'aria-label': `Example of ${aDigit(digit)}` }, canvas);
  button.addEventListener('click', () => drawing.showExample(number));
  part('examples').append(button);
});
for (let digit = 0; digit < sizes[sizes.length - 1]; digit += 1) part('label').append(element('option', {}, `${digit}`));
part('undo').addEventListener('click', () => drawing.undo());
document.addEventListener('keydown', (event) => {
  if (event.key !== 'z' || !(event.ctrlKey || event.metaKey) || event.shiftKey || event.altKey) return;
  event.preventDefault();
  drawing.undo();
});
part('clear').addEventListener('click', () => drawing.clear());
part('pen').addEventListener('input', () => { drawing.penWidth = Number(part('pen').value); });
part('save').addEventListener('click', () => {
  // A folder of such files is a dataset: the label, then a name of its own.
  element('a', { href: drawing.png(), download: `${part('label').value}-${Date.now()}.png` }).click();
});

/** The page has other colours or another size. */
function repaint() {
  drawing.paint();
  showLayers();
  if (seen) showAttribution();
  walkthrough.paint();
}
matchMedia('(prefers-color-scheme: dark)').addEventListener('change', repaint);
new ResizeObserver(() => drawing.paint()).observe(part('canvas')); // also when it is unfolded
drawing.paint();
setTimeout(() => drawing.changed(false)); // once the page is shown: the networks take a moment to decode

// For tests and for the browser's console.
window.dlcliDemo = {
  drawing,
  version: () => version,
  latest: () => latest,
  /** Predict at once what is drawn, or the pixels of an MNIST image. */
  predict(pixels = null) {
    const digit = pixels ? { pixels, isMnist: true } : drawing.digit;
    const pass = forward(theModel().network, digit.pixels);
    return { pixels: digit.pixels, ...[...predictions(model, digit, pass)].pop() };
  },
  /** The loss of one image and its gradient by all parameters of a network. */
  gradient(network, pixels, digit) {
    const { pass, errors, loss } = backpropagate(networkOf(network), scaled(pixels), digit);
    const weights = errors.flatMap((error, layer) => [...pass.values[layer]].flatMap((a) => [...error].map((d) => a * d)));
    return { loss, gradient: [...weights, ...errors.flatMap((error) => [...error])] };
  },
};

// What belongs to what: a change of the drawing goes through the network into the figures.

const root = document.getElementById('demo');
const part = (name) => root.querySelector(`#demo-${name}`);
const stored = JSON.parse(document.getElementById('demo-data').textContent);
const examples = stored.examples.map(({ pixels }) => bytesOf(pixels));

let model = null;
let version = 0; // of the drawing: what is computed for an older one is not shown
let shown = null; // the answer on the page
let seen = null; // what is on the page now: the picture prepared, and its forward pass
const timings = { first: 0, whole: 0 }; // milliseconds

const bars = new Bars(part('bars'));
const { sizes } = stored.network;
const layers = sizes.slice(1, -1).map((size, layer) => new LayerFigure(
  part('layers'), `Layer ${layer + 1} (${counted(size)} neurons, ${ACTIVATIONS[stored.network.activations[layer]].name}):`));
const lesson = new Lesson(root, () => { refresh(); }, stored);
const drawing = new Drawing(part('canvas'), examples, (underWay) => {
  drawing.paint();
  part('hint').hidden = !drawing.isEmpty;
  part('undo').disabled = drawing.history.length === 0;
  part('clear').disabled = drawing.isEmpty;
  part('save').disabled = drawing.isEmpty;
  schedule(underWay);
});

/** The model, decoded when it is first needed. */
function theModel() {
  model ??= { network: networkOf(stored.network), likeness: networkOf(stored.likeness), maps: stored.maps };
  return model;
}

/** Answer once a frame, however many events there are. */
function schedule(underWay) {
  version += 1;
  const wanted = version;
  requestAnimationFrame(() => {
    if (wanted === version) answer(wanted, underWay);
  });
}

/** Tell what one look says at once; if no stroke is under way, go on with the others. */
function answer(wanted, underWay) {
  if (drawing.isEmpty) {
    seen = null;
    showNothing();
    return;
  }
  const start = performance.now();
  theModel();
  const prepared = prepare(drawing.picture(), (pixels) => unlikeness(model.likeness, [pixels]), underWay);
  const pass = prepared.pixels && forwardPass(model.network, prepared.pixels);
  seen = { prepared, pass };
  const iterator = answers(model, prepared, pass);
  const first = iterator.next().value;
  showAnswer(first, !prepared.unchanged && prepared.pixels);
  showSeen();
  timings.first = performance.now() - start;
  if (!underWay) setTimeout(() => goOn(wanted, iterator, first, start));
}

/** The rest of the looks, a few at a time, so that the page stays quick to respond. */
function goOn(wanted, iterator, latest, start) {
  if (wanted !== version) return;
  const { value, done } = iterator.next();
  if (!done) {
    setTimeout(() => goOn(wanted, iterator, value || latest, start));
    return;
  }
  timings.whole = performance.now() - start;
  showAnswer(latest, false);
  announce(latest);
  showEvidence();
  const guess = drawing.state.example ?? (latest.shares && ranked(latest.shares)[0]);
  lesson.begin(model.network, seen.prepared.pixels, seen.isOld ? null : guess);
  root.dataset.answered = `${wanted}`;
}

function showNothing() {
  shown = null;
  part('digit').classList.add('demo-idle');
  bars.show(null);
  part('digit').textContent = '–';
  part('says').textContent = 'Nothing is drawn yet.';
  part('state').textContent = '';
  part('evidence-text').textContent = 'Waits for a digit.';
  for (const name of ['seen', 'evidence']) {
    part(name).getContext('2d').clearRect(0, 0, part(name).width, part(name).height);
  }
  showLayers();
  lesson.begin(model && model.network, null, null);
  root.dataset.answered = `${version}`;
}

/** The answer, or why there is none; `isFirst`: others may follow. */
function showAnswer(latest, isFirst) {
  const { shares, doubt, looks } = latest;
  shown = latest;
  part('digit').classList.remove('demo-idle');
  bars.show(shares);
  part('digit').textContent = doubt || !shares ? '?' : `${ranked(shares)[0]}`;
  if (!looks) part('state').textContent = '';
  else if (isFirst) part('state').textContent = 'First look; the mean of 46 follows when the pen rests.';
  else if (looks === 1) part('state').textContent = 'One look: the picture is like MNIST’s own already.';
  else part('state').textContent = `The mean of ${looks} looks, each a little turned, scaled or shifted.`;
  if (lesson.steps) part('state').textContent += ` The network has been changed by ${lesson.steps} of your steps.`;
}

/** Say it once it is certain, so that a screen reader hears no guesses. */
function announce({ shares, doubt }) {
  if (doubt) {
    part('says').textContent = `No answer: ${doubt}.`;
  } else {
    const [first, second] = ranked(shares);
    part('says').textContent = `This is a ${first} (${percent(shares[first])}); `
      + `next comes ${second} (${percent(shares[second])}).`;
  }
}

function showSeen() {
  const canvas = part('seen');
  canvas.getContext('2d').clearRect(0, 0, IMAGE_SIDE, IMAGE_SIDE);
  if (seen.prepared.pixels) paintInk(canvas, seen.prepared.pixels);
  showLayers();
}

function showLayers() {
  const palette = colours(root);
  layers.forEach((layer, i) => layer.show(seen && seen.pass && seen.pass.values[i + 1], sizes[i + 1], palette));
}

/** Colour the strokes by what they speak for. */
function showEvidence() {
  const canvas = part('evidence');
  canvas.getContext('2d').clearRect(0, 0, canvas.width, canvas.height);
  if (!seen || !seen.pass) {
    part('evidence-text').textContent = 'There is nothing to see.';
    return;
  }
  const [one, other] = ranked(seen.pass.logits);
  const values = evidence(model.network, seen.pass, one, other);
  paintEvidence(canvas, drawing, seen.prepared.place, values, colours(root));
  const most = strongestRegion(values);
  const least = strongestRegion(values.map((value) => -value));
  part('evidence-text').replaceChildren(
    element('span', { class: 'demo-key demo-more' }), ` speaks for ${one} and against ${other}`,
    most ? `, most in ${most}; ` : '; ',
    element('span', { class: 'demo-key demo-less' }), ` for ${other} and against ${one}`,
    least ? `, most in ${least}.` : '.',
    ' It is each pixel times the slope of the difference of the two sums along it.');
}

/** The same picture again, for the network has changed. */
function refresh() {
  const old = version;
  schedule(false);
  requestAnimationFrame(() => { if (seen && version === old + 1) seen.isOld = true; });
}

const PRECISIONS = {
  float32: 'as exact as they are (float32)', float16: 'rounded to 16 bits (float16)', int8: 'rounded to 8 bits (int8)',
};
const parameters = sizes.slice(1).reduce((sum, size, layer) => sum + (sizes[layer] + 1) * size, 0);
part('facts').textContent = `${stored.name}: its ${counted(parameters)} weights and biases are in this page, `
  + `${PRECISIONS[stored.network.precision]}; so are those of the network that tells digits from other things, `
  + `${PRECISIONS[stored.likeness.precision]}.`;

stored.examples.forEach(({ digit }, number) => {
  const canvas = element('canvas', { class: 'demo-pixels', width: '28', height: '28', 'aria-hidden': 'true' });
  paintInk(canvas, examples[number]);
  const button = element('button', { type: 'button', 'aria-label': `Example of a ${digit}` }, canvas);
  button.addEventListener('click', () => drawing.show(number));
  part('examples').append(button);
});
part('undo').addEventListener('click', () => drawing.undo());
part('clear').addEventListener('click', () => drawing.clear());
part('pen').addEventListener('input', () => { drawing.penWidth = Number(part('pen').value); });
part('save').addEventListener('click', () => {
  element('a', { href: drawing.png(), download: 'digit.png' }).click();
});

/** The colours or the size of the page have changed. */
function repaint() {
  drawing.paint();
  showLayers();
  if (seen) showEvidence();
  lesson.paint();
}
matchMedia('(prefers-color-scheme: dark)').addEventListener('change', repaint);
addEventListener('resize', () => drawing.paint());
drawing.changed(false);

// For tests, and for the curious in the browser's console.
window.dlcliDemo = {
  drawing,
  timings,
  /** What is answered on the page now. */
  latest: () => shown,
  version: () => version,
  /** @param {Grey} grey */
  answerTo: (grey) => answerTo(theModel(), grey),
  /** The cost of one picture and its slopes along all parameters of a network, as it is stored. */
  gradient(network, pixels, digit) {
    const { pass, errors, cost } = backpropagate(networkOf(network), pixels, digit);
    const slopes = errors.flatMap((error, layer) => [...pass.values[layer]].flatMap((a) => [...error].map((d) => a * d)));
    return { cost, slopes: [...slopes, ...errors.flatMap((error) => [...error])] };
  },
};

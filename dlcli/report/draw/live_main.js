// Puts the networks that train on the page.

const liveRoot = document.getElementById('live');
const partOf = (host) => (name) => host.querySelector(`[data-part="${name}"]`);
const lives = {};

const planeHost = document.getElementById('live-plane');
lives.plane = new Live(planeHost, new Plane(partOf(planeHost), () => lives.plane.exampleAdded()));

const digitsHost = document.getElementById('live-digits');
storedExamples(stored.live).then((found) => {
  lives.digits = new Live(digitsHost, new Digits(partOf(digitsHost), found));
  liveRoot.dataset.ready = 'true';
}, () => {
  digitsHost.querySelector('[data-part="says"]').textContent = 'This browser cannot unpack the images: it needs to be newer.';
});

const showAll = () => Object.values(lives).forEach((live) => live.show());
matchMedia('(prefers-color-scheme: dark)').addEventListener('change', showAll);
new ResizeObserver(showAll).observe(liveRoot);

// For tests and for the browser's console.
Object.assign(window.dlcliDemo, {
  lives,
  /** The gradient of a batch's cost by all parameters of a network. */
  batchGradient({ sizes, activation, loss, parameters, off }, images, labels) {
    const network = newNetwork({ sizes, activation, loss }, () => 0);
    network.parameters.set(parameters);
    (off ?? []).forEach((j) => network.off[0].add(j));
    const examples = images.map((pixels, i) => ({ inputs: scaled(pixels), label: labels[i] }));
    const training = new Training(network, examples, () => 0);
    training.backpropagate(examples);
    return [...training.gradient.parameters];
  },
});

// A small network that learns digits in the page, and reads what is drawn.

// The place of an unseen image among the examples of the paper, after one of each digit.
const UNSEEN_EXAMPLE = 10;

/** Text of base64 that holds compressed bytes. */
async function decompressed(base64) {
  const stream = new Blob([bytesOf(base64)]).stream().pipeThrough(new DecompressionStream('gzip'));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

/** The images stored in the page as examples, some to train on, the others unseen. */
async function storedExamples({ images, labels, training }) {
  const pixels = await decompressed(images);
  const examples = [...labels].map((label, i) => ({
    inputs: scaled(pixels.subarray(i * IMAGE_SIDE ** 2, (i + 1) * IMAGE_SIDE ** 2)), label: Number(label),
  }));
  return { training: examples.slice(0, training), unseen: examples.slice(training) };
}

/** The same image, moved by up to a pixel: another image of the same digit. */
function shifted({ inputs, label }, random) {
  const [right, down] = [Math.floor(3 * random()) - 1, Math.floor(3 * random()) - 1];
  const moved = new Float64Array(inputs.length);
  const offset = down * IMAGE_SIDE + right; // MNIST's digits have a margin of 4 pixels: nothing is lost
  if (offset >= 0) moved.set(inputs.subarray(0, inputs.length - offset), offset);
  else moved.set(inputs.subarray(-offset));
  return { inputs: moved, label };
}

/** The task to learn digits. */
class Digits {
  /**
   * @param {function(string): HTMLElement} part - finds an element of the page by its name
   * @param {{training: Example[], unseen: Example[]}} examples
   */
  constructor(part, examples) {
    Object.assign(this, {
      part,
      examples,
      several: 'images',
      // The first weights are smaller than usual, so that what is learned stands out in the pictures.
      start: { neurons: 32, activation: 'relu', rate: 0.1, batch: 10, images: 'plain', scale: 0.3 },
      plans: { neurons: [1, 2, 4, 8, 16, 32, 64] },
      changes: { images: { plain: 'as they are', shifted: 'shifted' } },
    });
    this.bars = new Bars(part('bars'));
    this.paper = new Drawing(part('paper'), [...drawing.pixels], () => this.read());
    this.paper.state = drawing.state;
    root.addEventListener('drawn', () => {
      this.paper.state = drawing.state;
      this.read();
    });
    part('paper').addEventListener('keydown', (event) => {
      if (event.key !== 'z' || !(event.ctrlKey || event.metaKey)) return;
      event.preventDefault();
      event.stopPropagation(); // undo here, and not in the other drawing
      this.paper.undo();
    });
    part('clear').addEventListener('click', () => this.paper.clear());
    part('misread').addEventListener('click', () => this.showMisread());
  }

  sizes({ neurons }) {
    return [IMAGE_SIDE ** 2, neurons, 10];
  }

  prepare() {} // the examples are always the same

  distorted({ images }) {
    return images === 'shifted' ? shifted : undefined;
  }

  /** Show the weights of every neuron as a picture, and what the network reads on the paper. */
  paint(network, [canvases]) {
    this.network = network;
    const shades = shadesOf(colours(root));
    const [weight] = network.weights;
    canvases.forEach((canvas, j) => {
      const picture = new Float64Array(IMAGE_SIDE ** 2).map((_, i) => weight[i * canvases.length + j]);
      paintPixels(canvas, picture, shades);
    });
    this.read();
  }

  /** Read what is on the paper. */
  read() {
    const { paper, network } = this;
    paper.paint();
    this.part('clear').disabled = paper.isEmpty;
    this.part('hint').hidden = !paper.isEmpty;
    const pass = paper.isEmpty ? null : forward(network, paper.digit.pixels);
    this.bars.show(pass && pass.outputs);
    const truth = paper.state.example === UNSEEN_EXAMPLE ? ` It is ${aDigit(this.misread)}.` : '';
    const text = pass ? `It reads ${aDigit(ranked(pass.outputs)[0])}.${truth}` : 'Nothing is drawn.';
    if (this.part('reads').textContent !== text) this.part('reads').textContent = text;
  }

  /** Put on the paper an unseen image that the network reads wrongly, another one each time. */
  showMisread() {
    const { examples, network, paper } = this;
    const isWrong = ({ inputs, label }) => ranked(forwardFrom(network, inputs).outputs)[0] !== label;
    const from = ((this.shown ?? -1) + 1) % examples.unseen.length;
    const found = [...examples.unseen.keys()].map((i) => (from + i) % examples.unseen.length)
      .find((i) => isWrong(examples.unseen[i]));
    if (found === undefined) {
      this.part('reads').textContent = 'It misreads none of the unseen images.';
      return;
    }
    this.shown = found;
    const { inputs, label } = examples.unseen[found];
    const pixels = Uint8Array.from(inputs, (value) => Math.round(255 * value));
    paper.pixels[UNSEEN_EXAMPLE] = pixels;
    paper.examples[UNSEEN_EXAMPLE] = imageCanvas(pixels);
    this.misread = label;
    paper.showExample(UNSEEN_EXAMPLE);
  }
}

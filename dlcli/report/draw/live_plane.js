// A small network that learns to tell points in a plane apart, and what its neurons make of the plane.

const PLANE_SCALE = 3; // the inputs of the network go from -3 to 3, the plane from -1 to 1
const PLANE_CELLS = 40; // in each direction, in which the plane is painted
const POINTS = { training: 200, unseen: 100 };
const PLANE_STEP = 0.05; // how far an arrow key moves the cursor

/** Random numbers around 0, nearly normal, with a standard deviation of 1. */
const noise = (random) => Math.sqrt(3) * (random() + random() + random() + random() - 2);

const onCircle = (radius, angle) => [radius * Math.cos(angle), radius * Math.sin(angle)];

/** Sets of points: a place for a point of a class, 0 or 1. */
const POINT_SETS = {
  circles: {
    name: 'disc in a ring',
    place: (label, random) => onCircle(label ? 0.35 * Math.sqrt(random()) : 0.6 + 0.3 * random(), 2 * Math.PI * random()),
  },
  halves: {
    name: 'two halves',
    place: (label, random) => [1.8 * random() - 0.9, (label ? 1 : -1) * (0.1 + 0.8 * random())],
  },
  quarters: {
    name: 'four quarters',
    place(label, random) {
      const [x, y] = [0.08 + 0.85 * random(), 0.08 + 0.85 * random()];
      const side = random() < 0.5 ? 1 : -1;
      return [side * x, (label ? side : -side) * y];
    },
  },
  spirals: { // Lang and Witbrock, "Learning to tell two spirals apart", 1988
    name: 'two spirals',
    place(label, random) {
      const along = 0.08 + 0.92 * Math.sqrt(random());
      const [x, y] = onCircle(0.9 * along, 2.5 * Math.PI * along + label * Math.PI);
      return [x + 0.03 * noise(random), y + 0.03 * noise(random)];
    },
  },
  own: { name: 'your own' },
};

/** A point of the plane as an example. */
const pointExample = ([x, y], label) => ({ inputs: Float64Array.of(PLANE_SCALE * x, PLANE_SCALE * y), label });

/** The middles of the cells that the plane is painted in, as inputs, row by row from the top. */
const planeCells = Array.from({ length: PLANE_CELLS ** 2 }, (_, i) => {
  const middle = (cell) => (2 * cell + 1) / PLANE_CELLS - 1;
  return pointExample([middle(i % PLANE_CELLS), -middle(Math.floor(i / PLANE_CELLS))]).inputs;
});

/** The task to tell points of two kinds apart. */
class Plane {
  /**
   * @param {function(string): HTMLElement} part - finds an element of the page by its name
   * @param {function(): void} changed - called after a point was added
   */
  constructor(part, changed) {
    Object.assign(this, {
      part,
      changed,
      several: 'points',
      examples: { training: [], unseen: [] },
      start: { points: 'circles', layers: 1, neurons: 4, activation: 'tanh', rate: 0.1, batch: 10, speed: 'step' },
      plans: {
        points: Object.fromEntries(Object.entries(POINT_SETS).map(([key, { name }]) => [key, name])),
        layers: [0, 1, 2],
        neurons: [1, 2, 3, 4, 6, 8],
      },
      changes: {},
      cursor: null,
    });
    const canvas = part('plane');
    canvas.addEventListener('click', (event) => {
      const box = canvas.getBoundingClientRect();
      this.add([(2 * (event.clientX - box.left)) / box.width - 1, 1 - (2 * (event.clientY - box.top)) / box.height]);
    });
    canvas.addEventListener('keydown', (event) => this.press(event));
    part('empty').addEventListener('click', () => {
      this.points = null;
      part('points').value = 'own';
      part('points').dispatchEvent(new Event('change'));
    });
    canvas.addEventListener('blur', () => {
      this.cursor = null;
      this.paintPlane();
    });
  }

  sizes({ layers, neurons }) {
    return [2, ...Array(layers).fill(neurons), 2];
  }

  prepare({ points }, random) {
    const { place } = POINT_SETS[points];
    if (points === this.points) return; // a new network for the same points
    this.points = points;
    const made = (count) => (place ? Array.from({ length: count }, (_, i) => pointExample(place(i % 2, random), i % 2)) : []);
    this.examples = { training: made(POINTS.training), unseen: made(POINTS.unseen) };
  }

  distorted() {}

  /** Add a point to train on. */
  add(place) {
    this.examples.training.push(pointExample(place, Number(this.part('kind').value)));
    this.changed();
  }

  /** The arrow keys move a cursor; the space bar adds a point there. */
  press(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const [x, y] = this.cursor || [0, 0];
    if (ARROWS[event.key]) {
      const [right, down] = ARROWS[event.key];
      const within = (value) => Math.max(Math.min(value, 1), -1);
      this.cursor = [within(x + PLANE_STEP * right), within(y - PLANE_STEP * down)];
      this.paintPlane();
    } else if (event.key === ' ') {
      this.cursor = [x, y];
      this.add([x, y]);
    } else {
      return;
    }
    event.preventDefault();
  }

  /** Show what every neuron says of each place of the plane, and what the outputs do. */
  paint(network, neurons) {
    const passes = planeCells.map((inputs) => forwardFrom(network, inputs));
    const shades = shadesOf(colours(root));
    this.ground ??= newCanvas(PLANE_CELLS);
    paintPixels(this.ground, passes.map(({ outputs }) => outputs[1] - outputs[0]), shades, 2.5); // pale, below the points
    neurons.forEach((canvases, layer) => canvases.forEach((canvas, j) => {
      const activation = ACTIVATIONS[network.activations[layer]].value;
      paintPixels(canvas, passes.map(({ sums }) => activation(sums[layer][j])), shades);
    }));
    this.paintPlane();
  }

  /** Paint the plane and the points on it, as sharp as the screen can. */
  paintPlane() {
    const canvas = this.part('plane');
    const side = Math.round(canvas.clientWidth * (window.devicePixelRatio || 1));
    if (!side) return;
    if (canvas.width !== side) Object.assign(canvas, { width: side, height: side });
    const context = canvas.getContext('2d');
    context.drawImage(this.ground, 0, 0, side, side);
    const palette = colours(root);
    const unit = side / 80;
    const at = ([x, y]) => [(side * (1 + x)) / 2, (side * (1 - y)) / 2];
    const mark = ({ inputs, label }, isSolid) => {
      const [x, y] = at([...inputs].map((value) => value / PLANE_SCALE));
      context.beginPath();
      if (label) context.rect(x - unit, y - unit, 2 * unit, 2 * unit);
      else context.arc(x, y, 1.1 * unit, 0, 2 * Math.PI);
      const colour = `rgb(${(label ? palette.more : palette.less).join(' ')})`;
      const paper = getComputedStyle(root).getPropertyValue('--card');
      [context.fillStyle, context.strokeStyle] = isSolid ? [colour, paper] : [paper, colour];
      context.lineWidth = unit / 3;
      context.fill();
      context.stroke();
    };
    this.examples.unseen.forEach((example) => mark(example, false));
    this.examples.training.forEach((example) => mark(example, true));
    if (!this.cursor) return;
    const [x, y] = at(this.cursor);
    context.beginPath();
    context.moveTo(x - 4 * unit, y);
    context.lineTo(x + 4 * unit, y);
    context.moveTo(x, y - 4 * unit);
    context.lineTo(x, y + 4 * unit);
    context.strokeStyle = getComputedStyle(root).getPropertyValue('--ink');
    context.lineWidth = unit;
    context.stroke();
  }
}

// Strokes of a mouse, a finger, a pen or the keyboard.

// How far an arrow key moves the pen, in pixels of the picture.
const KEY_STEP = 4;
const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

// On the paper at first, so that the page has something to show; the first stroke replaces it.
const FIRST_EXAMPLE = 3;

/** An image of MNIST as a canvas. */
function imageCanvas(pixels) {
  const canvas = newCanvas(IMAGE_SIDE);
  paintForeground(canvas, pixels);
  return canvas;
}

/** What is on the paper: strokes, or one of the examples. */
class Drawing {
  /**
   * @param {HTMLCanvasElement} canvas
   * @param {Uint8Array[]} examples - 28x28 each
   * @param {function(boolean): void} changed - called after every change; true: a stroke is not finished
   */
  constructor(canvas, examples, changed) {
    this.canvas = canvas;
    this.pixels = examples;
    this.examples = examples.map(imageCanvas);
    this.changed = changed;
    this.penWidth = 9;
    this.state = { strokes: [], example: FIRST_EXAMPLE };
    this.history = [];
    this.pointer = null;
    this.pen = { at: [PICTURE_SIDE / 2, PICTURE_SIDE / 2], down: false, shown: false };
    canvas.addEventListener('pointerdown', (event) => this.begin(event));
    canvas.addEventListener('pointermove', (event) => this.move(event));
    canvas.addEventListener('pointerup', (event) => this.end(event));
    canvas.addEventListener('pointercancel', (event) => this.end(event));
    canvas.addEventListener('keydown', (event) => this.press(event));
    canvas.addEventListener('blur', () => this.leave());
  }

  get isEmpty() {
    return this.state.strokes.length === 0 && this.state.example === null;
  }

  /** Change what is on the paper, in a way that can be undone. */
  change(state, unfinished = false) {
    this.history.push(this.state);
    this.state = state;
    this.pen.down = this.pen.down && unfinished;
    if (!unfinished) this.pointer = null; // another finger may still be drawing
    this.changed(unfinished);
  }

  undo() {
    this.state = this.history.pop() || this.state;
    this.pen.down = false;
    this.pointer = null;
    this.changed(false);
  }

  clear() {
    if (!this.isEmpty) this.change({ strokes: [], example: null });
  }

  showExample(example) {
    this.change({ strokes: [], example });
  }

  addStroke(point) {
    const strokes = [...this.state.strokes, { width: this.penWidth, points: [point] }];
    this.change({ strokes, example: null }, true);
  }

  extendStroke(point) {
    this.state.strokes[this.state.strokes.length - 1].points.push(point);
  }

  begin(event) {
    if (this.pointer !== null || event.button !== 0) return;
    event.preventDefault();
    this.canvas.focus({ preventScroll: true, focusVisible: false });
    this.pen = { ...this.pen, down: false, shown: false };
    this.pointer = event.pointerId;
    this.canvas.setPointerCapture(event.pointerId);
    this.addStroke(this.pointOf(event));
  }

  move(event) {
    if (event.pointerId !== this.pointer) return;
    const events = event.getCoalescedEvents ? event.getCoalescedEvents() : [];
    for (const each of events.length ? events : [event]) this.extendStroke(this.pointOf(each));
    this.changed(true);
  }

  end(event) {
    if (event.pointerId !== this.pointer) return;
    this.pointer = null;
    this.changed(false);
  }

  pointOf(event) {
    const box = this.canvas.getBoundingClientRect();
    const scale = PICTURE_SIDE / box.width;
    return [(event.clientX - box.left) * scale, (event.clientY - box.top) * scale];
  }

  /** Draw with the keyboard: the space bar lowers and lifts the pen. */
  press(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const { pen } = this;
    if (event.key === ' ') {
      pen.down = !pen.down;
      if (pen.down) this.addStroke([...pen.at]);
    } else if (ARROWS[event.key]) {
      pen.at = pen.at.map((coordinate, axis) => (
        Math.min(Math.max(coordinate + ARROWS[event.key][axis] * KEY_STEP, 0), PICTURE_SIDE)));
      if (pen.down) this.extendStroke([...pen.at]);
    } else {
      return;
    }
    event.preventDefault();
    pen.shown = true;
    this.changed(pen.down);
  }

  /** The keyboard's focus has gone elsewhere. */
  leave() {
    const { down } = this.pen;
    this.pen = { ...this.pen, down: false, shown: false };
    if (down) this.changed(false);
    else this.paint();
  }

  /** The digit on the paper, as a network sees it. */
  get digit() {
    const { strokes, example } = this.state;
    return example === null ? digitOf(strokes)
      : { pixels: this.pixels[example], isMnist: true, toImage: (u, v) => [u * IMAGE_SIDE, v * IMAGE_SIDE] };
  }

  /** Paint the strokes, or the example, black on nothing and as large as the canvas. */
  paintOn(canvas) {
    const { width: side } = canvas;
    const context = canvas.getContext('2d');
    context.clearRect(0, 0, side, side);
    if (this.state.example !== null) {
      context.imageSmoothingEnabled = false;
      context.drawImage(this.examples[this.state.example], 0, 0, side, side);
    }
    context.scale(side / PICTURE_SIDE, side / PICTURE_SIDE);
    paintStrokes(context, this.state.strokes);
    context.resetTransform();
    return context;
  }

  /** The picture as the address of a PNG file, which `dlcli predict` can read. */
  png() {
    const canvas = newCanvas(this.state.example === null ? PICTURE_SIDE : IMAGE_SIDE);
    const context = this.paintOn(canvas);
    context.globalCompositeOperation = 'destination-over';
    context.fillStyle = '#fff';
    context.fillRect(0, 0, canvas.width, canvas.height);
    return canvas.toDataURL('image/png');
  }

  /** Show the picture on the page, as sharp as the screen can. */
  paint() {
    const { canvas, pen } = this;
    const side = Math.round(canvas.clientWidth * (window.devicePixelRatio || 1));
    if (canvas.width !== side) {
      canvas.width = side;
      canvas.height = side;
    }
    const context = this.paintOn(canvas);
    if (!pen.shown) return;
    const scale = side / PICTURE_SIDE;
    context.beginPath();
    context.arc(pen.at[0] * scale, pen.at[1] * scale, (this.penWidth * scale) / 2 + 3, 0, 2 * Math.PI);
    context.lineWidth = 3;
    context.strokeStyle = pen.down ? '#b4460a' : '#0b5fa5';
    context.stroke();
    context.strokeStyle = '#000';
  }
}

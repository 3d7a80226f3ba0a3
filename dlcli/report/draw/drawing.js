// Strokes of a mouse, a finger, a pen or the keyboard, and the picture that they make.

// The side of the picture that is answered, in pixels.
const PICTURE_SIDE = 128;
const INK = '#000';
// How far an arrow key moves the pen.
const KEY_STEP = 4;
const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

/**
 * @typedef {Object} Stroke
 * @property {number} width
 * @property {number[][]} points - in pixels of the picture
 */

/** What is on the paper: strokes, or one of the examples. */
class Drawing {
  /**
   * @param {HTMLCanvasElement} canvas - where it is seen
   * @param {Uint8Array[]} examples - 28x28 each
   * @param {function(boolean): void} changed - told of every change; true: a stroke is under way
   */
  constructor(canvas, examples, changed) {
    this.canvas = canvas;
    this.examples = examples;
    this.changed = changed;
    this.penWidth = 9;
    this.state = { strokes: [], example: null };
    this.history = [];
    this.pointer = null;
    this.pen = { at: [PICTURE_SIDE / 2, PICTURE_SIDE / 2], down: false, shown: false };
    const picture = document.createElement('canvas');
    picture.width = PICTURE_SIDE;
    picture.height = PICTURE_SIDE;
    this.context = picture.getContext('2d', { willReadFrequently: true, alpha: false });
    canvas.addEventListener('pointerdown', (event) => this.begin(event));
    canvas.addEventListener('pointermove', (event) => this.goOn(event));
    for (const end of ['pointerup', 'pointercancel']) {
      canvas.addEventListener(end, (event) => this.end(event));
    }
    canvas.addEventListener('keydown', (event) => this.press(event));
    canvas.addEventListener('blur', () => this.leave());
  }

  /** Whether there is nothing on the paper. */
  get isEmpty() {
    return this.state.strokes.length === 0 && this.state.example === null;
  }

  /** Change what is on the paper, in a way that can be undone. */
  change(state, underWay = false) {
    this.history.push(this.state);
    this.state = state;
    this.changed(underWay);
  }

  undo() {
    this.state = this.history.pop() || this.state;
    this.pen.down = false;
    this.changed(false);
  }

  clear() {
    this.pen.down = false;
    if (!this.isEmpty) this.change({ strokes: [], example: null });
  }

  show(example) {
    this.pen.down = false;
    this.change({ strokes: [], example });
  }

  addStroke(point) {
    const strokes = [...this.state.strokes, { width: this.penWidth, points: [point] }];
    this.change({ strokes, example: null }, true);
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

  goOn(event) {
    if (event.pointerId !== this.pointer) return;
    const events = event.getCoalescedEvents ? event.getCoalescedEvents() : [];
    for (const each of events.length ? events : [event]) this.extend(this.pointOf(each));
    this.changed(true);
  }

  end(event) {
    if (event.pointerId !== this.pointer) return;
    this.pointer = null;
    this.changed(false);
  }

  extend(point) {
    const { points } = this.state.strokes[this.state.strokes.length - 1];
    points.push(point);
  }

  pointOf(event) {
    const box = this.canvas.getBoundingClientRect();
    return [
      ((event.clientX - box.left) * PICTURE_SIDE) / box.width,
      ((event.clientY - box.top) * PICTURE_SIDE) / box.height,
    ];
  }

  /** Draw with the keyboard. */
  press(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const { pen } = this;
    if (event.key === ' ') {
      pen.down = !pen.down;
      if (pen.down) this.addStroke([...pen.at]);
    } else if (ARROWS[event.key]) {
      pen.at = pen.at.map((place, axis) => (
        Math.min(Math.max(place + ARROWS[event.key][axis] * KEY_STEP, 0), PICTURE_SIDE)));
      if (pen.down) this.extend([...pen.at]);
    } else {
      return;
    }
    event.preventDefault();
    pen.shown = true;
    this.changed(pen.down);
  }

  leave() {
    const { down } = this.pen;
    this.pen = { ...this.pen, down: false, shown: false };
    this.changed(down);
    if (down) this.changed(false);
  }

  /**
   * The picture to answer.
   * @returns {Grey}
   */
  picture() {
    if (this.state.example !== null) {
      const levels = this.examples[this.state.example];
      return { width: IMAGE_SIDE, height: IMAGE_SIDE, levels, channels: 1 };
    }
    this.paintPicture();
    const { data } = this.context.getImageData(0, 0, PICTURE_SIDE, PICTURE_SIDE);
    const levels = new Uint8Array(PICTURE_SIDE * PICTURE_SIDE);
    for (let i = 0; i < levels.length; i++) levels[i] = data[4 * i];
    return { width: PICTURE_SIDE, height: PICTURE_SIDE, levels, channels: 3 };
  }

  /** The same picture as the address of a PNG file. */
  png() {
    if (this.state.example !== null) {
      const canvas = document.createElement('canvas');
      canvas.width = IMAGE_SIDE;
      canvas.height = IMAGE_SIDE;
      paintLevels(canvas, this.examples[this.state.example].map((level) => 255 - level));
      return canvas.toDataURL('image/png');
    }
    this.paintPicture();
    return this.context.canvas.toDataURL('image/png');
  }

  paintPicture() {
    this.context.fillStyle = '#fff';
    this.context.fillRect(0, 0, PICTURE_SIDE, PICTURE_SIDE);
    paintStrokes(this.context, this.state.strokes, 1);
  }

  /** Show it on the page, as sharp as the screen can. */
  paint() {
    const { canvas, pen } = this;
    const side = Math.round(canvas.clientWidth * (window.devicePixelRatio || 1));
    if (canvas.width !== side) {
      canvas.width = side;
      canvas.height = side;
    }
    const context = canvas.getContext('2d');
    context.clearRect(0, 0, side, side);
    if (this.state.example !== null) {
      const small = document.createElement('canvas');
      small.width = IMAGE_SIDE;
      small.height = IMAGE_SIDE;
      paintInk(small, this.examples[this.state.example]);
      context.imageSmoothingEnabled = false;
      context.drawImage(small, 0, 0, side, side);
    }
    paintStrokes(context, this.state.strokes, side / PICTURE_SIDE);
    if (pen.shown) {
      const [x, y] = pen.at.map((place) => (place * side) / PICTURE_SIDE);
      context.beginPath();
      context.arc(x, y, (this.penWidth * side) / PICTURE_SIDE / 2 + 3, 0, 2 * Math.PI);
      context.lineWidth = 3;
      context.strokeStyle = pen.down ? '#b4460a' : '#0b5fa5';
      context.stroke();
    }
  }
}

function paintStrokes(context, strokes, scale) {
  context.strokeStyle = INK;
  context.fillStyle = INK;
  context.lineCap = 'round';
  context.lineJoin = 'round';
  for (const { width, points } of strokes) {
    const [first, ...others] = points.map((point) => point.map((place) => place * scale));
    context.lineWidth = width * scale;
    context.beginPath();
    if (others.length) {
      context.moveTo(...first);
      others.forEach((point) => context.lineTo(...point));
      context.stroke();
    } else {
      context.arc(...first, (width * scale) / 2, 0, 2 * Math.PI);
      context.fill();
    }
  }
}

// Numbers as text, tables, bars and cells, in the colours of the page's style.

/** A number with three significant digits. */
function formatted(value) {
  if (value === 0) return '0';
  const size = Math.abs(value);
  const text = size >= 1000 || size < 0.001 ? value.toExponential(2) : value.toPrecision(3);
  return text.replace(/-/g, '−').replace('e+', 'e');
}

/** A number before a change, the change, and the number after it, as texts of which the change is visible. */
function formattedChange(before, change, after) {
  if (before === after) return [before, change, after].map(formatted);
  const decimals = Math.max(2 - Math.floor(Math.log10(Math.abs(change))), 0);
  return [before, change, after].map((value) => value.toFixed(decimals).replace('-', '−'));
}

/** A probability as a percentage with more digits, to show how it changes. */
const finePercent = (p) => `${(100 * p).toFixed(p > 0.99 || p < 0.01 ? 4 : 1)}\u00a0%`;

/** A probability as a percentage, rounded to 100 % or 0 % only if it is exactly that. */
function percent(p) {
  const text = (100 * p).toFixed(1);
  if (p < 1 && text === '100.0') return '>\u00a099.9\u00a0%';
  return p > 0 && text === '0.0' ? '<\u00a00.1\u00a0%' : `${text}\u00a0%`;
}

/** A digit with its article. */
const aDigit = (digit) => `${digit === 8 ? 'an' : 'a'} ${digit}`;

const thousands = (count) => count.toLocaleString('en-US');

/**
 * A new element.
 * @param {string} tag
 * @param {Object<string, string>} attributes
 * @param {...(Node|string)} children
 * @returns {HTMLElement}
 */
function element(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.append(...children);
  return made;
}

/**
 * A table that scrolls where it is wider than the page.
 * @param {string} caption
 * @param {string[]} columns
 * @param {(Node|string)[][]} rows - the first cell of each is its header
 * @param {number} marked - the row to highlight; -1: none
 */
function table(caption, columns, rows, marked = -1) {
  const head = element('tr', {}, ...columns.map((column) => element('th', { scope: 'col' }, column)));
  const body = rows.map((row, number) => element(
    'tr', number === marked ? { class: 'demo-marked' } : {},
    ...row.map((cell, i) => element(i ? 'td' : 'th', i ? {} : { scope: 'row' }, cell))));
  return element('div', { class: 'demo-scroll', tabindex: '0', role: 'region', 'aria-label': caption },
    element('table', {}, element('caption', {}, caption), element('thead', {}, head), element('tbody', {}, ...body)));
}

/** The page's colours, light or dark, as numbers. */
function colours(host) {
  const style = getComputedStyle(host);
  const read = (name) => style.getPropertyValue(name).trim().split(/\s+/).map(Number);
  return { more: read('--heat'), less: read('--cool'), none: read('--demo-none') };
}

/** The colour of a value from -1 to 1. */
function shade(palette, value) {
  const end = value < 0 ? palette.less : palette.more;
  return palette.none.map((from, i) => Math.round(from + (end[i] - from) * Math.min(Math.abs(value), 1)));
}

function newCanvas(side) {
  const canvas = document.createElement('canvas');
  canvas.width = side;
  canvas.height = side;
  return canvas;
}

/** Paint a foreground of 0 to 255 in black, transparent where there is none. */
function paintForeground(canvas, levels) {
  const context = canvas.getContext('2d');
  const image = context.createImageData(canvas.width, canvas.height);
  levels.forEach((level, i) => { image.data[4 * i + 3] = level; });
  context.putImageData(image, 0, 0);
}

/** A colour as one number, the way canvases store it: red, green, blue, opacity; the lowest byte first. */
const packed = ([red, green, blue]) => 0xff000000 | (blue << 16) | (green << 8) | red;

const SHADES = 128; // on each side of 0

/** The colours of values from -1 to 1, looked up once. */
const shadesOf = (palette) => Int32Array.from({ length: 2 * SHADES + 1 }, (_, i) => packed(shade(palette, i / SHADES - 1)));

/** Paint values as a square of pixels, in shades; the value `most` has the strongest. */
function paintPixels(canvas, values, shades, most = largestSize(values)) {
  const side = Math.sqrt(values.length);
  if (canvas.width !== side) Object.assign(canvas, { width: side, height: side });
  const context = canvas.getContext('2d');
  const image = context.createImageData(side, side);
  const dots = new Int32Array(image.data.buffer);
  const factor = SHADES / most;
  for (let i = 0; i < dots.length; i++) {
    const value = Math.max(Math.min(values[i] * factor, SHADES), -SHADES);
    dots[i] = shades[Math.round(value) + SHADES];
  }
  context.putImageData(image, 0, 0);
}

const CELL = 6;

const largestSize = (values) => values.reduce((most, value) => Math.max(most, Math.abs(value)), 0) || 1;

/** Paint values as a grid of cells, scaled by the largest. */
function paintCells(canvas, values, palette) {
  const columns = values.length <= 32 ? values.length : values.length <= 512 ? 32 : 64;
  const width = columns * CELL;
  const height = Math.ceil(values.length / columns) * CELL;
  if (canvas.width !== width || canvas.height !== height) {
    canvas.width = width;
    canvas.height = height;
  }
  const context = canvas.getContext('2d');
  const image = context.createImageData(width, height);
  const dots = new Int32Array(image.data.buffer);
  const most = largestSize(values);
  values.forEach((value, i) => {
    const colour = packed(shade(palette, value / most));
    const left = (i % columns) * CELL;
    const top = Math.floor(i / columns) * CELL;
    for (let y = top; y < top + CELL - 1; y++) dots.fill(colour, y * width + left, y * width + left + CELL - 1);
  });
  context.putImageData(image, 0, 0);
}

/** Ten bars: the probability of each digit. */
class Bars {
  constructor(list) {
    this.rows = Array.from({ length: 10 }, (_, digit) => {
      const fill = element('span', { class: 'demo-fill' });
      const value = element('span', { class: 'demo-value' }, '–');
      const row = element('li', {}, element('span', { class: 'demo-name' }, `${digit}`),
        element('span', { class: 'demo-track', 'aria-hidden': 'true' }, fill), value);
      list.append(row);
      return { row, fill, value };
    });
  }

  /** @param {number[]|null} probabilities */
  show(probabilities) {
    const most = probabilities ? ranked(probabilities)[0] : -1;
    this.rows.forEach(({ row, fill, value }, digit) => {
      fill.style.width = probabilities ? `${100 * probabilities[digit]}%` : '0';
      value.textContent = probabilities ? percent(probabilities[digit]) : '–';
      row.classList.toggle('demo-most', digit === most);
    });
  }
}

/** The neurons of a layer as cells, described in a sentence. */
class LayerFigure {
  constructor(host, title) {
    this.canvas = element('canvas', { class: 'demo-pixels', role: 'img', 'aria-label': title });
    this.text = element('span');
    host.append(element('figure', {}, element('figcaption', {}, element('b', {}, `${title} `), this.text), this.canvas));
  }

  /** @param {Float32Array|null} values */
  show(values, size, palette) {
    paintCells(this.canvas, values || new Float32Array(size), palette);
    this.text.textContent = values ? describeLayer(values) : 'waiting for a digit.';
  }
}

/** Describe a layer in words. */
function describeLayer(values) {
  const most = largestSize(values);
  const strongest = values.findIndex((value) => Math.abs(value) === most);
  if (strongest < 0) return 'all are 0.';
  const active = values.filter((value) => Math.abs(value) > most / 10).length;
  return `${thousands(active)} of ${thousands(values.length)} values exceed a tenth of the largest, `
    + `which is ${formatted(values[strongest])} (neuron ${thousands(strongest)}).`;
}

const REGIONS = [
  'the upper left', 'the upper middle', 'the upper right',
  'the middle left', 'the centre', 'the middle right',
  'the lower left', 'the lower middle', 'the lower right',
];

/** Name the part of the digit whose values have the largest sum, if it is above 0. */
function strongestRegion(values) {
  const sums = new Array(9).fill(0);
  values.forEach((value, i) => {
    const row = Math.min(Math.max(Math.floor(((i / IMAGE_SIDE) - 4) / (DIGIT_SIDE / 3)), 0), 2);
    const column = Math.min(Math.max(Math.floor(((i % IMAGE_SIDE) - 4) / (DIGIT_SIDE / 3)), 0), 2);
    sums[3 * row + column] += value;
  });
  const region = ranked(sums)[0];
  return sums[region] > 0 ? REGIONS[region] : null;
}

/**
 * Paint a drawing in the colours of what its pixels favour.
 * @param {HTMLCanvasElement} canvas
 * @param {Drawing} drawing
 * @param {function(number, number): number[]} toImage - maps a point of the drawing to the 28x28
 * @param {Float32Array} values - one for each of the 28x28
 */
function paintAttribution(canvas, drawing, toImage, values, palette) {
  const { width: side } = canvas;
  const context = drawing.paintOn(canvas);
  const image = context.getImageData(0, 0, side, side);
  const most = largestSize(values);
  for (let i = 0; i < side * side; i++) {
    if (!image.data[4 * i + 3]) continue;
    const [x, y] = [(i % side) + 0.5, Math.floor(i / side) + 0.5];
    const value = bilinear(values, ...toImage(x / side, y / side)) / most;
    // The square root makes small values visible as well.
    image.data.set(shade(palette, Math.sign(value) * Math.sqrt(Math.abs(value))), 4 * i);
  }
  context.putImageData(image, 0, 0);
}

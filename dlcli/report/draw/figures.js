// Numbers as cells, bars and tables; all colours are those of the page's style.

/** The number as a person reads it, three digits of it. */
function told(value) {
  if (value === 0) return '0';
  const size = Math.abs(value);
  const text = size >= 1000 || size < 0.001 ? value.toExponential(2) : value.toPrecision(3);
  return text.replace(/-/g, '−').replace('e+', 'e');
}

/** A share with more digits, for how it changes. */
const finePercent = (share) => `${(100 * share).toFixed(share > 0.99 || share < 0.01 ? 4 : 1)}\u00a0%`;

/** A share as a percentage, which is 100 only if nothing is missing. */
function percent(share) {
  const text = (100 * share).toFixed(1);
  if (share < 1 && text === '100.0') return '>\u00a099.9\u00a0%';
  return share > 0 && text === '0.0' ? '<\u00a00.1\u00a0%' : `${text}\u00a0%`;
}

const counted = (count) => count.toLocaleString('en-US');

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
 * A table that scrolls by itself where it is too wide.
 * @param {string} caption
 * @param {string[]} columns
 * @param {(Node|string)[][]} rows - the first cell of each names it
 * @param {number} marked - the row to point out; -1: none
 */
function table(caption, columns, rows, marked = -1) {
  const head = element('tr', {}, ...columns.map((column) => element('th', { scope: 'col' }, column)));
  const body = rows.map((row, number) => element(
    'tr', number === marked ? { class: 'demo-marked' } : {},
    ...row.map((cell, i) => element(i ? 'td' : 'th', i ? {} : { scope: 'row' }, cell))));
  return element('div', { class: 'demo-scroll', tabindex: '0', role: 'region', 'aria-label': caption },
    element('table', {}, element('caption', {}, caption), element('thead', {}, head), element('tbody', {}, ...body)));
}

/** The colours that the page has now, light or dark, as numbers. */
function colours(host) {
  const style = getComputedStyle(host);
  const read = (name) => style.getPropertyValue(`--demo-${name}`).trim().split(/\s+/).map(Number);
  return { more: read('more'), less: read('less'), none: read('none') };
}

/** A colour between that of nothing and that of a value from -1 to 1. */
function shade(palette, value) {
  const end = value < 0 ? palette.less : palette.more;
  const share = Math.min(Math.abs(value), 1);
  return palette.none.map((from, i) => Math.round(from + (end[i] - from) * share));
}

/** Paint grey levels, a pixel each. */
function paintLevels(canvas, levels) {
  const context = canvas.getContext('2d');
  const image = context.createImageData(canvas.width, canvas.height);
  levels.forEach((level, i) => image.data.set([level, level, level, 255], 4 * i));
  context.putImageData(image, 0, 0);
}

/** Paint ink of 0 to 255, dark on what is behind the canvas. */
function paintInk(canvas, levels) {
  const context = canvas.getContext('2d');
  const image = context.createImageData(canvas.width, canvas.height);
  levels.forEach((level, i) => image.data.set([0, 0, 0, level], 4 * i));
  context.putImageData(image, 0, 0);
}

const CELL = 6;

/** Paint values as a grid of cells, each scaled by the largest. */
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
  const dots = new Uint32Array(image.data.buffer); // red, green, blue, opacity: lowest byte first
  const most = values.reduce((largest, value) => Math.max(largest, Math.abs(value)), 0) || 1;
  values.forEach((value, i) => {
    const [red, green, blue] = shade(palette, value / most);
    const colour = 0xff000000 | (blue << 16) | (green << 8) | red;
    const left = (i % columns) * CELL;
    const top = Math.floor(i / columns) * CELL;
    for (let y = top; y < top + CELL - 1; y++) dots.fill(colour, y * width + left, y * width + left + CELL - 1);
  });
  context.putImageData(image, 0, 0);
}

/** The ten bars: how probable each digit is. */
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

  /** @param {number[]|null} shares */
  show(shares) {
    const most = shares ? ranked(shares)[0] : -1;
    this.rows.forEach(({ row, fill, value }, digit) => {
      fill.style.width = shares ? `${100 * shares[digit]}%` : '0';
      value.textContent = shares ? percent(shares[digit]) : '–';
      row.classList.toggle('demo-most', digit === most);
    });
  }
}

/** A layer's neurons as cells, with a sentence on them. */
class LayerFigure {
  constructor(host, title) {
    this.canvas = element('canvas', { class: 'demo-pixels', role: 'img', 'aria-label': title });
    this.text = element('span');
    host.append(element('figure', {}, element('figcaption', {}, element('b', {}, `${title} `), this.text), this.canvas));
  }

  /** @param {Float32Array|null} values */
  show(values, size, palette) {
    paintCells(this.canvas, values || new Float32Array(size), palette);
    this.text.textContent = values ? describe(values) : 'waits for a digit.';
  }
}

/** What the cells of a layer show, in words. */
function describe(values) {
  let strongest = 0;
  values.forEach((value, i) => { if (Math.abs(value) > Math.abs(values[strongest])) strongest = i; });
  const level = Math.abs(values[strongest]) / 10;
  const lit = values.filter((value) => Math.abs(value) > level).length;
  return `${counted(lit)} of ${counted(values.length)} say more than a tenth of what the strongest does: `
    + `neuron ${counted(strongest)}, ${told(values[strongest])}.`;
}

/** Regions of the 28x28 as one calls them. */
const REGIONS = [
  'the upper left', 'the upper middle', 'the upper right',
  'the middle left', 'the centre', 'the middle right',
  'the lower left', 'the lower middle', 'the lower right',
];

/** The region where values add up to the most. */
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

/** The value at a point between those of the 28x28, each of which stands for the middle of its pixel. */
function between(values, x, y) {
  const at = (column, row) => (column >= 0 && column < IMAGE_SIDE && row >= 0 && row < IMAGE_SIDE
    ? values[row * IMAGE_SIDE + column] : 0);
  const [left, top] = [Math.floor(x - 0.5), Math.floor(y - 0.5)];
  const [across, down] = [x - 0.5 - left, y - 0.5 - top];
  const above = at(left, top) * (1 - across) + at(left + 1, top) * across;
  const below = at(left, top + 1) * (1 - across) + at(left + 1, top + 1) * across;
  return above * (1 - down) + below * down;
}

/**
 * Paint a drawing's ink in the colour of what it speaks for.
 * @param {HTMLCanvasElement} canvas
 * @param {Drawing} drawing
 * @param {function(number, number): number[]} place - a point of the picture on the 28x28
 * @param {Float32Array} values - one for each of the 28x28
 */
function paintEvidence(canvas, drawing, place, values, palette) {
  const grey = drawing.picture();
  const isExample = grey.width === IMAGE_SIDE;
  const { width: side } = canvas;
  const context = canvas.getContext('2d');
  const image = context.createImageData(side, side);
  const most = values.reduce((largest, value) => Math.max(largest, Math.abs(value)), 0) || 1;
  const scale = grey.width / side;
  for (let y = 0; y < side; y++) {
    for (let x = 0; x < side; x++) {
      const [column, row] = [(x + 0.5) * scale, (y + 0.5) * scale];
      const level = grey.levels[Math.floor(row) * grey.width + Math.floor(column)];
      const ink = isExample ? level : 255 - level;
      if (!ink) continue;
      const value = between(values, ...place(column, row)) / most;
      // Weak evidence is to be seen as well.
      image.data.set([...shade(palette, Math.sign(value) * Math.sqrt(Math.abs(value))), ink], 4 * (y * side + x));
    }
  }
  context.putImageData(image, 0, 0);
}

// Curves that grow while a network trains.

const SVG = 'http://www.w3.org/2000/svg';
const CHART = { width: 300, height: 120 }; // in units of the drawing, which stretches to its place
const LABEL_HEIGHT = 22; // above the chart, for the highest value
const MAX_POINTS = 300; // of a curve; beyond it every other point is dropped

/** An element of a drawing. */
function shape(tag, attributes) {
  const made = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  return made;
}

/** What was measured while a network trained. */
class History {
  constructor() {
    this.points = []; // each {epochs, training: {cost, accuracy}, unseen: the same or null}
    this.changes = []; // the epochs at which a setting was changed
  }

  add(point) {
    if (this.last && this.last.epochs === point.epochs) this.points.pop(); // measured again
    this.points.push(point);
    if (this.points.length <= MAX_POINTS) return;
    const last = this.points.length - 1;
    this.points = this.points.filter((_, i) => i % 2 === 0 || i === last);
  }

  get last() {
    return this.points[this.points.length - 1];
  }
}

const LINES = [['training', 'trained on'], ['unseen', 'unseen']];

/** A chart of one measure of the images trained on and of the unseen ones. */
class Curves {
  /**
   * @param {HTMLElement} host
   * @param {string} title
   * @param {string} measure - "cost" or "accuracy"
   * @param {function(number): string} text - a value as text
   */
  constructor(host, title, measure, text) {
    Object.assign(this, { measure, text, title });
    const { width, height } = CHART;
    this.svg = shape('svg', { viewBox: `0 ${-LABEL_HEIGHT} ${width} ${height + LABEL_HEIGHT}`, preserveAspectRatio: 'none', role: 'img' });
    for (let part = 0; part <= 4; part++) {
      this.svg.append(shape('path', { class: 'live-grid', d: `M0 ${(height * part) / 4}H${width}` }));
    }
    this.marks = shape('path', { class: 'live-mark' });
    this.paths = LINES.map(([name]) => shape('path', { class: `live-line live-${name}` }));
    this.svg.append(this.marks, ...this.paths);
    this.values = LINES.map(() => element('b', {}, '–'));
    const legend = LINES.map(([name, label], i) => element(
      'span', { class: `live-legend live-${name}` }, `${label} `, this.values[i]));
    [this.top, this.end] = [element('span', { class: 'live-top' }), element('span')];
    host.append(
      element('figcaption', {}, element('b', {}, title), ' ', ...legend),
      element('div', { class: 'live-chart' }, this.top, this.svg),
      element('p', { class: 'live-axis' }, element('span', {}, '0'), this.end));
  }

  /** @param {History} history */
  show({ points, changes }) {
    const epochs = Math.max(points.length ? points[points.length - 1].epochs : 0, 1);
    const valuesOf = (name) => points.filter((point) => point[name])
      .map((point) => [point.epochs, point[name][this.measure]]).filter(([, value]) => Number.isFinite(value));
    const lines = LINES.map(([name]) => valuesOf(name));
    const most = this.measure === 'accuracy' ? 1 : Math.max(...lines.flat().map(([, value]) => value), 1e-9);
    const x = (epoch) => ((CHART.width * epoch) / epochs).toFixed(1);
    const y = (value) => (CHART.height * (1 - value / most)).toFixed(1);
    lines.forEach((line, i) => {
      this.paths[i].setAttribute('d', line.map(([epoch, value], n) => `${n ? 'L' : 'M'}${x(epoch)} ${y(value)}`).join(''));
      this.values[i].textContent = line.length ? this.text(line[line.length - 1][1]) : '–';
    });
    this.marks.setAttribute('d', changes.map((epoch) => `M${x(epoch)} 0V${CHART.height}`).join(''));
    this.top.textContent = points.length ? this.text(most) : '';
    this.end.textContent = `${epochs < 10 ? epochs.toFixed(1) : thousands(Math.round(epochs))} epochs`;
    this.svg.setAttribute('aria-label', `${this.title}: ${LINES.map(([, label], i) => (
      `${label} ${this.values[i].textContent}`)).join(', ')}`);
  }
}

// Charts by Chart.js, which is loaded when the first one is wanted.

import {element} from './dom.js';
import {clock, short} from './format.js';
import {themeColor} from './theme.js';

let library = null;

/** Its script makes a global, `Chart`. */
async function loadLibrary() {
  library ??= import('./chart.min.js').then(() => globalThis.Chart);
  return library;
}

/** A chart of lines over time. */
export class ChartPanel {
  root;
  #canvas = element('canvas', {role: 'img'});
  #chart = null;
  #lines;
  #latest = null;
  #gone = false;
  #recolor = () => this.#colorize();

  /** `lines`: [{label, color}], colours as custom properties of the theme; `title` for those who cannot see it. */
  constructor(title, lines) {
    this.#lines = lines;
    this.#canvas.setAttribute('aria-label', title);
    this.root = element('div', {class: 'chart'}, this.#canvas);
    document.addEventListener('mayfly-theme', this.#recolor);
    this.#make();
  }

  /** `times` in ms since 1970, ascending; one array of values (null: none) for each line. */
  show(times, values) {
    this.#latest = {times, values};
    if (this.#chart === null) return;
    values.forEach((row, i) => {
      this.#chart.data.datasets[i].data = times.map((time, at) => ({x: time, y: row[at]}));
    });
    this.#chart.options.scales.x.min = times[0];
    this.#chart.options.scales.x.max = times[times.length - 1];
    this.#chart.update('none');
  }

  destroy() {
    this.#gone = true;
    document.removeEventListener('mayfly-theme', this.#recolor);
    this.#chart?.destroy();
  }

  async #make() {
    let Chart;
    try {
      Chart = await loadLibrary();
    } catch {
      this.root.replaceChildren(element('p', {class: 'note'}, 'The chart could not be loaded: reload the page.'));
      return;
    }
    if (this.#gone) return;
    this.#chart = new Chart(this.#canvas, {type: 'line', data: {datasets: this.#lines.map(datasetOf)}, options: optionsOf(this.#lines.length > 1)});
    this.#colorize();
    if (this.#latest) this.show(this.#latest.times, this.#latest.values);
  }

  #colorize() {
    if (this.#chart === null) return;
    const {x, y} = this.#chart.options.scales;
    x.ticks.color = y.ticks.color = this.#chart.options.plugins.legend.labels.color = themeColor('muted');
    y.grid.color = themeColor('line');
    this.#chart.data.datasets.forEach((dataset, i) => {
      dataset.borderColor = themeColor(this.#lines[i].color);
      dataset.backgroundColor = themeColor(`${this.#lines[i].color}-soft`);
    });
    this.#chart.update('none');
  }
}

function datasetOf(line) {
  return {label: line.label, data: [], parsing: false, borderWidth: 1.5, pointRadius: 0, pointHitRadius: 8, fill: true, tension: 0.25};
}

function optionsOf(hasLegend) {
  const time = (value) => clock(new Date(value).toISOString()).slice(0, 8);
  return {
    animation: false, responsive: true, maintainAspectRatio: false, interaction: {mode: 'index', intersect: false},
    scales: {
      x: {type: 'linear', grid: {display: false}, ticks: {maxTicksLimit: 6, maxRotation: 0, callback: time}},
      y: {beginAtZero: hasLegend, grid: {}, border: {display: false}, ticks: {maxTicksLimit: 5, callback: short}},
    },
    plugins: {
      legend: {display: hasLegend, align: 'end', labels: {boxWidth: 10, boxHeight: 10}},
      tooltip: {callbacks: {title: (items) => time(items[0].parsed.x)}},
    },
  };
}

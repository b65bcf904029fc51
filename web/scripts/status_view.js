// A status directory: a table of keys and values that is true at every moment.

import {appendAnsi} from './ansi.js';
import {ChartPanel} from './chart_panel.js';
import {DirectoryHead} from './directory_head.js';
import {element, fact, setText} from './dom.js';
import {age, exact, moment, plural, short} from './format.js';
import {makeStatusRow, showStatusRow} from './status_row.js';
import {StatusStore} from './status_store.js';
import {VirtualList} from './virtual_list.js';

const kAgesMs = 1000;

const kOrders = {
  key: (a, b) => (a.key < b.key ? -1 : a.key > b.key ? 1 : 0),
  newest: (a, b) => b.seq - a.seq,
  oldest: (a, b) => a.seq - b.seq,
};

export class StatusView {
  root;
  #head;
  #store;
  #list;
  #scroller;
  #filter;
  #order;
  #state = element('span', {class: 'state', role: 'status'});
  #counts = element('span', {class: 'counts'});
  #toolbar;
  #details = element('aside', {class: 'details', 'aria-label': 'Key', hidden: true});
  #chart = null;
  #rows = [];  // what the table shows, in its order
  #selected = null;
  #staleAfterMs = 0;
  #frame = 0;
  #sorted = false;
  #timer = 0;

  constructor(directory) {
    this.#head = new DirectoryHead('status', directory);
    this.#filter = element('input', {type: 'search', placeholder: 'part of a key or value', autocomplete: 'off', spellcheck: 'false',
                                     class: 'filter-input', input: () => this.#resort()});
    this.#order = element('select', {change: () => this.#resort()},
        element('option', {value: 'key'}, 'by key'), element('option', {value: 'newest'}, 'newest first'),
        element('option', {value: 'oldest'}, 'oldest first'));
    this.#toolbar = element('div', {class: 'toolbar'},
        element('label', {class: 'field grow'}, element('span', {}, 'Find'), this.#filter),
        element('label', {class: 'field'}, element('span', {}, 'Order'), this.#order),
        element('div', {class: 'stream-facts'}, this.#state, this.#counts));
    const titles = ['Key', 'Value', 'History', 'Age'].map((title) => element('div', {class: `cell ${title.toLowerCase()}`, role: 'columnheader'}, title));
    this.#scroller = element('div', {class: 'status-list', role: 'rowgroup', tabindex: '0', 'aria-label': 'Keys',
                                     click: (event) => this.#clicked(event)});
    const table = element('div', {class: 'status-table', role: 'table', 'aria-label': `Values of ${directory}`},
        element('div', {class: 'row head', role: 'row'}, ...titles), this.#scroller);
    this.root = element('section', {class: 'view status-view', 'aria-label': `Status ${directory}`}, this.#head.root,
                        this.#toolbar, table, this.#details);
    this.#store = new StatusStore(directory, (ids) => this.#changed(ids));
  }

  attached() {
    this.#list = new VirtualList(this.#scroller, makeStatusRow, (row, entry, index) => showStatusRow(row, entry, index, {
      history: this.#store.history(entry.id), staleAfterMs: this.#staleAfterMs, selected: this.#selected}));
    this.#timer = setInterval(() => this.#schedule(), kAgesMs);
    this.#resort();
    this.#scroller.focus({preventScroll: true, focusVisible: false});
  }

  detached() {
    this.#store.stop();
    clearInterval(this.#timer);
    cancelAnimationFrame(this.#frame);
    this.#chart?.destroy();
  }

  update(info) {
    this.#head.update(info);
    this.#staleAfterMs = Number(info?.stale_after_seconds ?? 0) * 1000;
  }

  hostIsBack() {
    this.#store.nudge();
  }

  focusFilter() {
    this.#filter.focus();
    this.#filter.select();
  }

  escape() {
    if (!this.#details.hidden) return this.#closeDetails();
    this.#filter.value = '';
    this.#resort();
  }

  listKey(key) {
    const last = this.#rows.length - 1;
    const at = this.#rows.findIndex((entry) => entry.id === this.#selected);
    const targets = {j: at + 1, ArrowDown: at + 1, k: at - 1, ArrowUp: at - 1, PageDown: at + this.#list.page,
                     PageUp: at - this.#list.page, g: 0, Home: 0, G: last, End: last, Enter: at};
    if (targets[key] === undefined || last < 0) return false;
    const index = Math.max(0, Math.min(targets[key], last));
    this.#list.reveal(index);
    this.#select(this.#rows[index].id, key === 'Enter' || !this.#details.hidden);
    return true;
  }

  /** `ids` null: the whole list was read again. New keys and other orders need sorting, new values do not. */
  #changed(ids) {
    const anyNew = ids === null || this.#order.value !== 'key' || this.#filter.value !== '' ||
        ids.some((id) => this.#store.entries.get(id)?.changes === 0);
    if (anyNew) this.#sorted = false;
    if (ids === null || ids.includes(this.#selected)) this.#showDetails();
    this.#schedule();
  }

  #resort() {
    this.#sorted = false;
    this.#schedule();
  }

  #schedule() {
    if (this.#frame !== 0 || !this.#list) return;
    this.#frame = requestAnimationFrame(() => {
      this.#frame = 0;
      this.#show();
    });
  }

  #show() {
    const {entries} = this.#store;
    if (!this.#sorted) {
      const wanted = this.#filter.value.toLowerCase();
      this.#rows = [...entries.values()].filter((entry) =>
          wanted === '' || entry.key.toLowerCase().includes(wanted) || entry.value.toLowerCase().includes(wanted));
      this.#rows.sort(kOrders[this.#order.value]);
      this.#sorted = true;
    }
    this.#list.setItems(this.#rows.length, (index) => entries.get(this.#rows[index].id) ?? this.#rows[index]);
    this.#toolbar.dataset.state = this.#store.state;
    setText(this.#state, this.#stateText());
    const out = this.#store.leftOut > 0 ? ` · ${short(this.#store.leftOut)} more are not shown` : '';
    setText(this.#counts, `${plural(this.#rows.length, 'key')}${out}`);
    this.#scroller.classList.toggle('empty', this.#rows.length === 0);
  }

  #stateText() {
    const {state, stateDetail} = this.#store;
    if (state === 'live') return 'live';
    if (state === 'waiting') return `${stateDetail.problem.message} · again in ${age(stateDetail.delayMs)}`;
    return state === 'refused' ? stateDetail.problem.message : 'connecting…';
  }

  #clicked(event) {
    const row = event.target.closest('.row');
    if (row !== null && getSelection().toString() === '') this.#select(row.shown.id, true);
  }

  #select(id, withDetails) {
    const other = id !== this.#selected;
    this.#selected = id;
    if (other) this.#dropChart();
    if (withDetails) {
      this.#details.hidden = false;
      this.#showDetails();
      this.#list.reveal(this.#rows.findIndex((entry) => entry.id === id));
    }
    this.#schedule();
  }

  #showDetails() {
    const entry = this.#store.entries.get(this.#selected);
    if (this.#details.hidden) return;
    if (!entry) return this.#closeDetails();
    const {times, values} = this.#store.history(entry.id);
    const key = element('span', {class: 'mono'});
    appendAnsi(key, entry.key);
    const text = element('pre', {class: 'details-text', tabindex: '0', 'aria-label': 'the whole value'});
    appendAnsi(text, entry.value);
    const facts = element('dl', {class: 'facts'}, fact('Key', key),
        fact('Written', element('time', {datetime: entry.time, title: entry.time}, moment(entry.time))), fact('Number', exact(entry.seq)));
    if (entry.cut > 0) facts.append(fact('Not kept here', plural(entry.cut, 'more character')));
    const close = element('button', {type: 'button', class: 'close', 'aria-label': 'Close details', click: () => this.#closeDetails()}, '✕');
    const parts = [element('div', {class: 'details-head'}, facts, element('div', {class: 'details-actions'}, close)), text];
    if (values.length > 1) {
      this.#chart ??= new ChartPanel(`History of ${entry.key}`, [{label: entry.key, color: 'accent'}]);
      this.#chart.show([...times], [[...values]]);
      parts.push(this.#chart.root);
    }
    this.#details.replaceChildren(...parts);
  }

  #dropChart() {
    this.#chart?.destroy();
    this.#chart = null;
  }

  #closeDetails() {
    this.#dropChart();
    this.#details.hidden = true;
    this.#details.replaceChildren();
  }
}

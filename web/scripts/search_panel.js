// One pattern over the logs of all servers, at the hub.

import {appendAnsi} from './ansi.js';
import {getJson} from './api.js';
import {element, setText} from './dom.js';
import {clock, moment, plural, words} from './format.js';
import {keyHue} from './log_row.js';

const kLimit = 500;
const kLineChars = 2_000;
const kSpans = [['15m', 'last 15 min'], ['1h', 'last hour'], ['6h', 'last 6 h'], ['1d', 'last day']];

export class SearchPanel {
  root;
  #pattern = element('input', {type: 'search', class: 'filter-input', placeholder: 'search all logs: error|warn', title: 'RE2 syntax', autocomplete: 'off', spellcheck: 'false',
                               'aria-label': 'Pattern'});
  #since = element('select', {'aria-label': 'How far back'}, ...kSpans.map(([value, label]) => element('option', {value}, label)));
  #note = element('p', {class: 'note', role: 'status', hidden: true});
  #results = element('div', {class: 'search-results log-rows', tabindex: '0', 'aria-label': 'Found lines', hidden: true});
  #asking = new AbortController();

  constructor() {
    const submit = (event) => {
      event.preventDefault();
      this.#search();
    };
    this.root = element('section', {class: 'search', 'aria-label': 'Search'},
        element('form', {class: 'toolbar', role: 'search', submit}, element('div', {class: 'field grow'}, this.#pattern), this.#since,
                element('button', {type: 'submit', class: 'primary'}, 'Search'),
                element('button', {type: 'button', click: () => this.clear()}, 'Clear')),
        this.#note, this.#results);
  }

  focus() {
    this.#pattern.focus();
  }

  clear() {
    this.#asking.abort();
    this.#pattern.value = '';
    this.#note.hidden = this.#results.hidden = true;
  }

  async #search() {
    if (this.#pattern.value === '') return this.clear();
    this.#asking.abort();
    this.#asking = new AbortController();
    const {signal} = this.#asking;
    this.#say('searching…', false);
    const query = new URLSearchParams({q: this.#pattern.value, since: this.#since.value, limit: kLimit});
    try {
      this.#show(await getJson(new URL(`/api/v1/search?${query}`, document.baseURI), signal));
    } catch (problem) {
      if (!signal.aborted) this.#say(problem.message, true);
    }
  }

  #say(text, bad) {
    this.#note.hidden = false;
    this.#note.classList.toggle('bad', bad);
    setText(this.#note, text);
  }

  #show(answer) {
    const left = answer.left_out.map((entry) =>
        [entry.server, entry.directory, `(${words(entry.reason)})`].filter((part) => part !== undefined && part !== '').join(' '));
    const which = answer.records.length >= kLimit ? `the newest ${plural(answer.records.length, 'line')}` : plural(answer.records.length, 'line');
    this.#say(which + (left.length === 0 ? '' : ` · left out: ${left.slice(0, 8).join(', ')}${left.length > 8 ? ` and ${left.length - 8} more` : ''}`), false);
    this.#results.replaceChildren(...answer.records.map(rowOf));
    this.#results.hidden = answer.records.length === 0;
    this.#results.scrollTop = this.#results.scrollHeight;
  }
}

function rowOf(record) {
  const key = element('span', {class: `key hue-${keyHue(record.key)}`});
  appendAnsi(key, record.key.slice(0, 120));
  const text = element('span', {class: 'text'});
  appendAnsi(text, record.line.slice(0, kLineChars));
  const where = element('a', {class: 'where', href: `${encodeURIComponent(record.server)}/#/log/${encodeURIComponent(record.directory)}`},
                        `${record.server} ${record.directory}`);
  return element('div', {class: 'row'}, element('time', {class: 'time', datetime: record.time, title: moment(record.time)}, clock(record.time)),
                 where, key, text);
}

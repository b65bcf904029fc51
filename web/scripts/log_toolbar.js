// The controls of a log: key, filter, pause, jump, and what there is to say about the stream.

import {getJson, apiUrl} from './api.js';
import {element, setText} from './dom.js';
import {age, exact, plural, short} from './format.js';

const kTypingMs = 350;  // a filter counts once nothing was typed for so long
let ids = 0;

/**
 * Calls changed() when key or filter are others, and toggleFollow(), jump(), past(direction).
 * `query`: {key, grep}, what holds now.
 */
export class LogToolbar {
  root;
  #directory;
  #actions;
  #key;
  #keys = new Map();  // text → record, as the host lists them
  #keyList;
  #filter;
  #error = element('p', {class: 'problem', role: 'alert', hidden: true});
  #follow;
  #state = element('span', {class: 'state', role: 'status'});
  #counts = element('span', {class: 'counts'});
  #past = element('span', {class: 'past', hidden: true});
  #typing = 0;

  constructor(directory, actions) {
    this.#directory = directory;
    this.#actions = actions;
    const listId = `keys-${++ids}`;
    this.#keyList = element('datalist', {id: listId});
    this.#key = element('input', {type: 'search', list: listId, placeholder: 'all keys', autocomplete: 'off', spellcheck: 'false',
                                  class: 'key-input', input: () => this.#typed(), focus: () => this.#loadKeys()});
    this.#filter = element('input', {type: 'search', placeholder: 'filter: error|warn', title: 'RE2 syntax', autocomplete: 'off',
                                     spellcheck: 'false', class: 'filter-input', input: () => this.#typed()});
    this.#follow = element('button', {type: 'button', class: 'follow', click: () => actions.toggleFollow()}, 'Pause');
    const jump = element('button', {type: 'button', click: () => actions.jump()}, 'Jump to time…');
    for (const [name, label] of [['earlier', '← Earlier'], ['later', 'Later →']]) {
      this.#past.append(element('button', {type: 'button', click: () => actions.past(name)}, label));
    }
    this.root = element('div', {class: 'toolbar'},
        element('label', {class: 'field'}, element('span', {}, 'Key'), this.#key), this.#keyList,
        element('label', {class: 'field grow'}, element('span', {}, 'Filter'), this.#filter),
        this.#follow, jump, this.#past,
        element('div', {class: 'stream-facts'}, this.#state, this.#counts), this.#error);
  }

  get query() {
    const text = this.#key.value;
    const key = text === '' ? null : this.#keys.get(text) ?? {key: text};
    return {key, grep: this.#filter.value};
  }

  setKey(record) {
    this.#keys.set(record.key, record);
    this.#key.value = record.key;
    this.#actions.changed();
  }

  focusFilter() {
    this.#filter.focus();
    this.#filter.select();
  }

  focusKey() {
    this.#key.focus();
    this.#key.select();
  }

  clear() {
    this.#key.value = this.#filter.value = '';
    this.#actions.changed();
  }

  /** `source`: a LogSource; `frozen`: the view stands still. */
  show(source, frozen, waiting) {
    const past = source.state === 'past';
    this.#past.hidden = !past;
    this.root.dataset.state = frozen && !past ? 'paused' : source.state;
    setText(this.#follow, past ? 'Go live' : frozen ? 'Follow' : 'Pause');
    this.#follow.setAttribute('aria-pressed', String(frozen));
    setText(this.#state, stateText(source, frozen, waiting));
    this.#showProblem(source);
    const {shown, dropped, received} = source.ring;
    setText(this.#counts, `${short(shown)} shown` + (dropped > 0 ? ` · ${short(dropped)} dropped for display` : '') +
        (source.missed > 0 ? ` · ${short(source.missed)} missed` : ''));
    this.#counts.title = `${exact(received)} received = ${exact(shown)} shown + ${exact(dropped)} dropped for display`;
    Object.assign(this.#counts.dataset, {shown, dropped, received, missed: source.missed});
  }

  #showProblem(source) {
    const problem = source.state === 'refused' ? source.stateDetail.problem : null;
    this.#error.hidden = problem === null;
    setText(this.#error, problem === null ? '' : problem.message);
    this.#filter.setAttribute('aria-invalid', String(problem !== null));
  }

  #typed() {
    clearTimeout(this.#typing);
    this.#typing = setTimeout(() => this.#actions.changed(), kTypingMs);
  }

  async #loadKeys() {
    let answer;
    try {
      answer = await getJson(apiUrl(['keys', this.#directory]));
    } catch {
      return;  // then the key has to be typed
    }
    this.#keys = new Map(answer.keys.map((entry) => [entry.key, entry]));
    this.#keyList.replaceChildren(...answer.keys.map((entry) =>
        element('option', {value: entry.key}, plural(entry.records, 'line'))));
  }
}

function stateText(source, frozen, waiting) {
  const problem = source.stateDetail.problem;
  switch (source.state) {
    case 'past':
      return 'past lines';
    case 'live':
      if (!frozen) return 'live';
      return waiting > 0 ? `paused · ${short(waiting)} new` : 'paused';
    case 'waiting':
      return `${problem.status ? `${problem.status}: ` : ''}${problem.message} · again in ${age(source.stateDetail.delayMs)}`;
    case 'refused':
      return 'not following';
    default:
      return 'connecting…';
  }
}

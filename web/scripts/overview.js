// All directories of a host: how full they are, how fast they are written, what they lost.

import {causeChips} from './causes.js';
import {ChartPanel} from './chart_panel.js';
import {directoryId, totalDropped, totalEvicted} from './directory_poll.js';
import {element, setText} from './dom.js';
import {ago, bytes, exact, plural, short} from './format.js';
import {QuotaBar, quotasOf} from './quota_bar.js';
import {makeSparkline, showSparkline} from './sparkline.js';

const kMaxCards = 300;

export function directoryLink(info) {
  return `#/${info.kind}/${encodeURIComponent(info.name)}`;
}

/** One directory. */
class Card {
  root;
  #bars = new Map();
  #barBox = element('div', {class: 'bars'});
  #rate = element('span', {class: 'rate'});
  #spark = makeSparkline();
  #written = element('span', {class: 'muted'});
  #chips = element('div', {class: 'chips'});

  constructor(info) {
    this.root = element('a', {class: 'card', href: directoryLink(info)},
        element('div', {class: 'card-head'}, element('h3', {}, info.name), element('span', {class: `badge badge-${info.kind}`}, info.kind)),
        element('div', {class: 'card-rate'}, this.#spark, this.#rate), this.#barBox, this.#chips, this.#written);
  }

  show(info, rate, times) {
    for (const row of quotasOf(info)) {
      if (!this.#bars.has(row.name)) {
        this.#bars.set(row.name, new QuotaBar(row.name));
        this.#barBox.append(this.#bars.get(row.name).root);
      }
      this.#bars.get(row.name).show(row);
    }
    setText(this.#rate, `${short(rate.latest ?? 0)}/s`);
    const known = rate.values.filter((value) => value !== null);
    showSparkline(this.#spark, times.slice(-known.length), known);
    const written = info.last_write === null ? 'nothing written yet' : `last write ${ago(info.last_write)}`;
    setText(this.#written, `${short(info.records)} ${info.kind === 'log' ? 'lines' : 'values'} · ${written}`);
    this.#chips.replaceChildren(...causeChips('dropped', info.dropped), ...causeChips('evicted', info.evicted));
  }
}

export class Overview {
  root;
  #tiles = new Map();
  #tileBox = element('div', {class: 'tiles'});
  #chart = new ChartPanel('Records per second', [{label: 'stored per second', color: 'accent'}, {label: 'dropped per second', color: 'bad'}]);
  #cards = new Map();
  #groups = {};
  #filter;
  #note = element('p', {class: 'note', hidden: true});
  #unknown = element('div', {class: 'chips'});
  #poll = null;

  constructor() {
    this.#filter = element('input', {type: 'search', placeholder: 'part of a name', autocomplete: 'off', spellcheck: 'false',
                                     class: 'filter-input', input: () => this.#poll && this.show(this.#poll)});
    const group = (kind, title) => {
      const cards = element('div', {class: 'cards'});
      const head = element('h2', {}, title);
      this.#groups[kind] = {root: element('section', {}, head, cards), cards, head, title};
      return this.#groups[kind].root;
    };
    this.root = element('section', {class: 'view overview', 'aria-label': 'Overview', tabindex: '-1'}, this.#tileBox,
        element('section', {class: 'panel'}, this.#chart.root), this.#unknown,
        element('div', {class: 'toolbar'}, element('label', {class: 'field grow'}, element('span', {}, 'Find'), this.#filter)),
        this.#note, group('log', 'Logs'), group('status', 'Statuses'));
  }

  attached() {}

  detached() {
    this.#chart.destroy();
  }

  focusFilter() {
    this.#filter.focus();
  }

  escape() {
    this.#filter.value = '';
    if (this.#poll) this.show(this.#poll);
  }

  listKey() {
    return false;
  }

  hostIsBack() {}

  show(poll) {
    this.#poll = poll;
    if (poll.state === null) return;
    this.#showTiles(poll);
    const first = Math.max(0, poll.stored.values.findIndex((value) => value !== null));
    this.#chart.show(poll.times.slice(first), [poll.stored.values.slice(first), poll.dropped.values.slice(first)]);
    const lost = causeChips('dropped', poll.state.unknown.dropped);
    this.#unknown.replaceChildren(...(lost.length > 0 ? [element('span', {class: 'muted'}, 'in no directory:'), ...lost] : []));
    this.#showCards(poll);
  }

  #showTiles({state, stored}) {
    const live = state.directories.reduce((total, info) => total + Number(info.records), 0);
    this.#tile('directories', exact(state.directories.length));
    this.#tile('live records', short(live), exact(live));
    this.#tile('stored per second', short(stored.latest ?? 0));
    this.#tile('dropped', short(totalDropped(state)), exact(totalDropped(state)), totalDropped(state) > 0);
    this.#tile('evicted', short(totalEvicted(state)), exact(totalEvicted(state)));
    const segment = state.segment;
    if (segment) {
      const used = Number(segment.bytes) - Number(segment.free_bytes);
      this.#tile('memory in use', bytes(used), `${exact(used)} of ${exact(segment.bytes)} bytes`);
      this.#tile('writers connected', exact(segment.connections));
    }
  }

  #tile(name, value, title = '', bad = false) {
    if (!this.#tiles.has(name)) {
      const number = element('b', {});
      const root = element('div', {class: 'tile'}, number, element('span', {}, name));
      this.#tiles.set(name, {root, number});
      this.#tileBox.append(root);
    }
    const {root, number} = this.#tiles.get(name);
    setText(number, value);
    root.title = title;
    root.classList.toggle('bad', bad);
  }

  #showCards(poll) {
    const wanted = this.#filter.value.toLowerCase();
    const fitting = poll.state.directories.filter((info) => info.name.toLowerCase().includes(wanted));
    const shown = new Set(fitting.slice(0, kMaxCards).map(directoryId));
    this.#note.hidden = fitting.length <= kMaxCards;
    setText(this.#note, `${plural(fitting.length - kMaxCards, 'more directory', 'more directories')}: type a part of the name`);
    for (const [id, card] of this.#cards) {
      if (shown.has(id)) continue;
      card.root.remove();
      this.#cards.delete(id);
    }
    for (const info of fitting.slice(0, kMaxCards)) {
      const id = directoryId(info);
      if (!this.#cards.has(id)) this.#cards.set(id, new Card(info));
      const card = this.#cards.get(id);
      card.show(info, poll.rate(info), poll.times);
      if (card.root.parentNode === null) this.#groups[info.kind]?.cards.append(card.root);
    }
    for (const [kind, group] of Object.entries(this.#groups)) {
      const count = fitting.filter((info) => info.kind === kind).length;
      group.root.hidden = count === 0;
      setText(group.head, `${group.title} · ${exact(count)}`);
    }
  }
}

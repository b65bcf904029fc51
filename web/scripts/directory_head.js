// The head of a directory's view: what it is, how full, what was lost.

import {causeChips} from './causes.js';
import {element, setText} from './dom.js';
import {exact, moment, short} from './format.js';
import {QuotaBar, quotasOf} from './quota_bar.js';

export class DirectoryHead {
  root;
  #bars = new Map();
  #barBox = element('div', {class: 'bars'});
  #chips = element('div', {class: 'chips'});
  #facts = element('span', {class: 'muted'});
  #missing = element('p', {class: 'note', hidden: true}, 'The host has no such directory now; what comes is shown.');

  constructor(kind, name) {
    const title = element('h1', {}, name, ' ', element('span', {class: `badge badge-${kind}`}, kind));
    this.root = element('header', {class: 'view-head'}, element('div', {class: 'view-title'}, title, this.#facts),
                        this.#barBox, this.#chips, this.#missing);
  }

  update(info) {
    this.#missing.hidden = info !== undefined;
    if (info === undefined) return;
    for (const row of quotasOf(info)) this.#bar(row.name).show(row);
    const last = info.last_write === null ? 'nothing written yet' : `last write ${moment(info.last_write)}`;
    setText(this.#facts, `${short(info.records)} ${info.kind === 'log' ? 'lines' : 'values'} · ${last}`);
    this.#facts.title = `${exact(info.stored)} stored since the directory was opened`;
    this.#chips.replaceChildren(...causeChips('dropped', info.dropped), ...causeChips('evicted', info.evicted));
  }

  #bar(name) {
    if (!this.#bars.has(name)) {
      const bar = new QuotaBar(name);
      this.#bars.set(name, bar);
      this.#barBox.append(bar.root);
    }
    return this.#bars.get(name);
  }
}

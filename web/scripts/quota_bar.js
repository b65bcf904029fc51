// How much of a quota is used.

import {element, setText} from './dom.js';
import {bytes, exact, short} from './format.js';

/**
 * What of a directory is bounded: {name, used, limit, write, meaning, alarms}. A log that is full is in order:
 * its oldest lines go. Where keys have to go, or values, it alarms.
 */
export function quotasOf(info) {
  const quotas = info.quotas;
  const rows = [
    {name: 'keys', used: info.keys, limit: quotas.max_keys, write: short, meaning: 'keys of max_keys', alarms: true},
    {name: 'bytes', used: info.bytes, limit: quotas.max_total_bytes, write: bytes, meaning: 'bytes of keys and values of max_total_bytes',
     alarms: info.kind === 'status'},
  ];
  if (info.kind === 'log') {
    const room = Number(quotas.max_events_per_key) * Math.max(1, Number(info.keys));
    rows.push({name: 'events', used: info.records, limit: room, write: short, meaning: 'lines of max_events_per_key, all keys together', alarms: false});
  }
  return rows;
}

/** 0 to 1; a quota of 0 is full. */
export function fill(used, limit) {
  return Number(limit) === 0 ? 1 : Math.min(1, Number(used) / Number(limit));
}

export class QuotaBar {
  root;
  #bar = element('span', {class: 'bar-fill'});
  #numbers = element('span', {class: 'bar-numbers'});
  #track;

  constructor(name) {
    this.#track = element('span', {class: 'bar-track', role: 'meter', 'aria-label': name, 'aria-valuemin': '0', 'aria-valuemax': '100'}, this.#bar);
    this.root = element('span', {class: 'bar'}, element('span', {class: 'bar-name'}, name), this.#track, this.#numbers);
  }

  show({used, limit, write, meaning, alarms}) {
    const part = fill(used, limit);
    this.#bar.style.width = `${part > 0 ? Math.max(1, part * 100) : 0}%`;
    this.#track.dataset.level = !alarms ? 'fine' : part >= 0.95 ? 'full' : part >= 0.75 ? 'high' : 'fine';
    this.#track.setAttribute('aria-valuenow', String(Math.round(part * 100)));
    setText(this.#numbers, Number(limit) >= 2 ** 53 ? write(used) : `${write(used)} / ${write(limit)}`);
    this.root.title = `${exact(used)} of ${exact(limit)} ${meaning}`;
  }
}

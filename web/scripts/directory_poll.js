// What the host says of its directories, asked for every two seconds, and the rates that follow from it.

import {directories} from './api.js';
import {sum} from './causes.js';

const kPollMs = 2_000;
const kPoints = 150;  // five minutes

export function directoryId(info) {
  return `${info.kind}/${info.name}`;
}

/** Counts per second, over time. A count that goes back (a new memory) begins anew. */
class Rate {
  values = [];
  #before = null;

  add(count, seconds) {
    const grown = this.#before === null || count < this.#before ? null : (count - this.#before) / seconds;
    this.#before = count;
    this.values.push(grown);
    if (this.values.length > kPoints) this.values.shift();
  }

  get latest() {
    return this.values[this.values.length - 1] ?? 0;
  }
}

export class DirectoryPoll {
  state = null;    // the last answer
  problem = null;  // why there is no newer one
  times = [];
  stored = new Rate();
  dropped = new Rate();
  #rates = new Map();  // directory → Rate of stored
  #asked = 0;
  #changed;
  #timer = 0;

  /** `changed(poll)` after each answer and each failure. */
  constructor(changed) {
    this.#changed = changed;
    document.addEventListener('visibilitychange', () => {
      if (!document.hidden) this.now();
    });
    this.now();
  }

  find(kind, name) {
    return this.state?.directories.find((info) => info.kind === kind && info.name === name);
  }

  rate(info) {
    return this.#rates.get(directoryId(info)) ?? new Rate();
  }

  /** Asks at once. */
  async now() {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.now(), document.hidden ? 5 * kPollMs : kPollMs);
    if (this.asking) return;
    this.asking = true;
    try {
      this.#take(await directories());
      this.problem = null;
    } catch (problem) {
      this.problem = problem;
      this.#asked = 0;
    }
    this.asking = false;
    this.#changed(this);
  }
  asking = false;

  #take(state) {
    const now = performance.now();
    const seconds = this.#asked === 0 ? Infinity : (now - this.#asked) / 1000;
    this.#asked = now;
    this.state = state;
    this.times.push(Date.now());
    if (this.times.length > kPoints) this.times.shift();
    const rates = new Map();
    for (const info of state.directories) {
      const rate = this.#rates.get(directoryId(info)) ?? new Rate();
      rate.add(Number(info.stored), seconds);
      rates.set(directoryId(info), rate);
    }
    this.#rates = rates;
    this.stored.add(state.directories.reduce((total, info) => total + Number(info.stored), 0) + Number(state.removed.stored), seconds);
    this.dropped.add(totalDropped(state), seconds);
  }
}

/** Everything that was not stored, whatever it named. */
export function totalDropped(state) {
  return state.directories.reduce((total, info) => total + sum(info.dropped), 0) + sum(state.removed.dropped) + sum(state.unknown.dropped);
}

export function totalEvicted(state) {
  return state.directories.reduce((total, info) => total + sum(info.evicted), 0) + sum(state.removed.evicted);
}

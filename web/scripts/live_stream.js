// One stream of server-sent events that goes on: broken off, it is taken up again by its cursor. By
// fetch() and not EventSource, which tells neither why a server refuses nor lets a page give up on a
// silent connection. A page has one of these at a time: browsers allow six connections a server.

import {Problem, request} from './api.js';
import {EventParser} from './sse.js';

const kSilenceMs = 40_000;  // the server says something every 15 s
const kFirstDelayMs = 400;
const kLongestDelayMs = 8_000;

/**
 * Calls, all from the page's own thread:
 *   onEvents(events)        in order, with data parsed as JSON (null where it was huge)
 *   onState(state, detail)  'connecting'; 'live'; 'waiting' with {problem, delayMs}; 'refused' with
 *                           {problem}: it will not be asked again
 */
export class LiveStream {
  #url;
  #handlers;
  #cursor;
  #stop = new AbortController();
  #failures = 0;
  #wake = () => {};

  /** `url(cursor)`: what to ask, where undefined means from the start. */
  constructor(url, handlers) {
    this.#url = url;
    this.#handlers = handlers;
    this.#run();
  }

  /** Nothing is called any more. */
  stop() {
    this.#stop.abort();
    this.#wake();
  }

  /** Tries at once if it waits: the host is said to be back. */
  nudge() {
    this.#wake();
  }

  async #run() {
    while (!this.#stop.signal.aborted) {
      const problem = await this.#attempt();
      if (this.#stop.signal.aborted) return;
      if (problem.status === 400 || problem.status === 401) {
        this.#handlers.onState('refused', {problem});
        return;
      }
      const longest = Math.min(kLongestDelayMs, kFirstDelayMs * 2 ** this.#failures++);
      const delayMs = Math.round(longest * (0.5 + Math.random() / 2));
      this.#handlers.onState('waiting', {problem, delayMs});
      await this.#pause(delayMs);
    }
  }

  /** Reads until something ends it, and says what. */
  async #attempt() {
    const attempt = new AbortController();
    const signal = AbortSignal.any([this.#stop.signal, attempt.signal]);
    let watchdog = 0;
    const alive = () => {
      clearTimeout(watchdog);
      watchdog = setTimeout(() => attempt.abort(), kSilenceMs);
    };
    this.#handlers.onState('connecting', {});
    alive();
    try {
      const response = await request(this.#url(this.#cursor), {signal, accept: 'text/event-stream'});
      this.#handlers.onState('live', {});
      const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
      const parser = new EventParser();
      for (let part = await reader.read(); !part.done; part = await reader.read()) {
        if (this.#stop.signal.aborted) break;
        alive();
        this.#failures = 0;
        this.#take(parser.push(part.value));
      }
      return new Problem(0, 'ended', 'the stream ended');
    } catch (error) {
      if (error instanceof Problem) return error;
      return new Problem(0, 'broken', attempt.signal.aborted ? 'nothing came for 40 s' : 'the connection broke');
    } finally {
      clearTimeout(watchdog);
    }
  }

  #take(events) {
    if (events.length === 0) return;
    for (const event of events) {
      if (event.id !== null) this.#cursor = event.id;
      event.text = event.data;
      event.data = event.huge > 0 ? null : JSON.parse(event.data);
    }
    this.#handlers.onEvents(events);
  }

  #pause(ms) {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, ms);
      this.#wake = () => {
        clearTimeout(timer);
        resolve();
      };
      addEventListener('online', this.#wake, {once: true});
    });
  }
}

// A log directory: lines as they come, or of some time past.

import {element} from './dom.js';
import {words, exact} from './format.js';
import {DirectoryHead} from './directory_head.js';
import {askForTime} from './jump_dialog.js';
import {showLineDetails} from './line_details.js';
import {makeLogRow, showLogRow} from './log_row.js';
import {LogSource} from './log_source.js';
import {LogToolbar} from './log_toolbar.js';
import {VirtualList} from './virtual_list.js';

const kFirstLines = 1_000;  // of what is there already
const kPastLines = 2_000;   // of one look at the past

export class LogView {
  root;
  #directory;
  #head;
  #toolbar;
  #scroller;
  #list;
  #details = element('aside', {class: 'details', 'aria-label': 'Line', hidden: true});
  #source;
  #frozen = null;  // the items that stand still; null: the newest are followed
  #receivedAtFreeze = 0;
  #selected = -1;
  #frame = 0;
  #gone = false;
  #fetching = new AbortController();
  #dropsSeen = null;

  constructor(directory) {
    this.#directory = directory;
    this.#head = new DirectoryHead('log', directory);
    this.#toolbar = new LogToolbar(directory, {
      changed: () => this.#restart(),
      toggleFollow: () => this.toggleFollow(),
      jump: () => this.jump(),
      past: (direction) => this.#turnPage(direction),
    });
    this.#scroller = element('div', {class: 'log-list', role: 'listbox', tabindex: '0', 'aria-label': `Lines of ${directory}`,
                                     click: (event) => this.#clicked(event), wheel: (event) => this.#wheeled(event),
                                     touchmove: () => this.#freeze(), pointerdown: (event) => this.#pressed(event)});
    this.root = element('section', {class: 'view log-view', 'aria-label': `Log ${directory}`}, this.#head.root,
                        this.#toolbar.root, this.#scroller, this.#details);
  }

  /** The view is in the document now. */
  attached() {
    this.#list = new VirtualList(this.#scroller, makeLogRow, (row, item, index) => showLogRow(row, item, index, this.#selected));
    this.#scroller.addEventListener('scroll', () => this.#scrolled(), {passive: true});
    this.#restart();
    this.#scroller.focus({preventScroll: true, focusVisible: false});
  }

  detached() {
    this.#gone = true;
    this.#source?.stop();
    this.#fetching.abort();
    cancelAnimationFrame(this.#frame);
  }

  /** What the host says of the directory; undefined: it is not there. */
  update(info) {
    this.#head.update(info);
    this.#markDrops(info);
  }

  hostIsBack() {
    this.#source.nudge();
  }

  focusFilter() {
    this.#toolbar.focusFilter();
  }

  focusKey() {
    this.#toolbar.focusKey();
  }

  toggleFollow() {
    if (this.#source.state === 'past') this.#restart();
    else if (this.#frozen) this.#follow();
    else this.#freeze();
  }

  jump() {
    askForTime((since) => this.#showPast({since}));
  }

  escape() {
    if (!this.#details.hidden) this.#closeDetails();
    else if (this.#toolbar.query.key !== null || this.#toolbar.query.grep !== '') this.#toolbar.clear();
  }

  /** Keys of a list; true: taken. */
  listKey(key) {
    const steps = {j: 1, k: -1, ArrowDown: 1, ArrowUp: -1, PageDown: this.#list.page, PageUp: -this.#list.page,
                   Home: -Infinity, g: -Infinity};
    if (key === 'End' || key === 'G') {
      if (this.#source.state === 'past') this.#select(this.#frozen.length - 1);
      else this.#follow();
      return true;
    }
    if (key === 'Enter' && this.#selected >= 0) {
      this.#showDetails();
      return true;
    }
    if (steps[key] === undefined) return false;
    this.#freeze();
    const from = this.#selected >= 0 ? this.#selected : this.#frozen.length;
    this.#select(from + steps[key]);
    return true;
  }

  #restart() {
    this.#open();
    this.#source.start();
  }

  /** A new, empty source in place of the one before. */
  #open() {
    this.#source?.stop();
    this.#fetching.abort();
    this.#fetching = new AbortController();
    this.#frozen = null;
    this.#closeDetails();
    this.#source = new LogSource(this.#directory, {...this.#toolbar.query, last: kFirstLines}, () => this.#schedule());
    this.#schedule();
  }

  #schedule() {
    if (this.#frame === 0 && !this.#gone) {
      this.#frame = requestAnimationFrame(() => {
        this.#frame = 0;
        this.#show();
      });
    }
  }

  #show() {
    const {ring} = this.#source;
    if (this.#frozen) this.#list.setItems(this.#frozen.length, (index) => this.#frozen[index]);
    else this.#list.setItems(ring.length, (index) => ring.at(index), true);
    this.#toolbar.show(this.#source, this.#frozen !== null, ring.received - this.#receivedAtFreeze);
    this.#scroller.classList.toggle('empty', ring.length === 0);
  }

  #freeze() {
    if (this.#frozen) return;
    this.#frozen = this.#source.ring.snapshot();
    this.#receivedAtFreeze = this.#source.ring.received;
    this.#schedule();
  }

  #follow() {
    this.#frozen = null;
    this.#closeDetails();
    this.#schedule();
  }

  async #showPast(parameters) {
    this.#open();
    this.#frozen = [];
    const source = this.#source;
    try {
      await source.fetchPast(parameters, kPastLines, this.#fetching.signal);
    } catch (problem) {
      if (this.#source !== source) return;
      source.state = 'refused';
      source.stateDetail = {problem};
    }
    if (this.#source !== source) return;
    if (source.ring.length === 0) source.ring.addMark('note', 'no lines there');
    this.#frozen = source.ring.snapshot();
    this.#schedule();
    this.#scroller.scrollTop = parameters.until === undefined ? 0 : this.#scroller.scrollHeight;
  }

  #turnPage(direction) {
    const lines = this.#frozen.filter((item) => !item.mark);
    if (lines.length === 0) return;
    if (direction === 'earlier') this.#showPast({until: lines[0].time, last: kPastLines});
    else this.#showPast({since: lines[lines.length - 1].time});
  }

  #clicked(event) {
    const row = event.target.closest('.row');
    if (row === null || getSelection().toString() !== '') return;
    const item = row.shown;
    this.#freeze();
    this.#select(this.#frozen.indexOf(item));
    this.#showDetails();
  }

  #wheeled(event) {
    if (event.deltaY < 0) this.#freeze();
  }

  /** On the scroll bar: it cannot be dragged while the list follows. */
  #pressed(event) {
    if (event.target === this.#scroller && event.offsetX > this.#scroller.clientWidth) this.#freeze();
  }

  /** The scroll bar was moved away from the end, or back to it. */
  #scrolled() {
    if (this.#source.state === 'past') return;
    if (this.#frozen && this.#selected < 0 && this.#list.atEnd && this.#resumesAtEnd) this.#follow();
    this.#resumesAtEnd = this.#frozen !== null && !this.#list.atEnd;
  }
  #resumesAtEnd = false;

  #select(index) {
    if (this.#frozen.length === 0) return;
    this.#selected = Math.max(0, Math.min(index, this.#frozen.length - 1));
    this.#schedule();
    this.#list.reveal(this.#selected);
    if (!this.#details.hidden) this.#showDetails();
  }

  #showDetails() {
    const item = this.#frozen[this.#selected];
    showLineDetails(this.#details, item, {
      onlyKey: (line) => this.#toolbar.setKey(line),
      since: (line) => this.#showPast({since: line.time}),
      close: () => this.#closeDetails(),
    });
    this.#list.reveal(this.#selected);  // the details take some of the room
  }

  #closeDetails() {
    this.#selected = -1;
    this.#details.hidden = true;
    this.#details.replaceChildren();
    this.#schedule();
  }

  /** Lines that never were stored leave a mark where they would have been. */
  #markDrops(info) {
    const counts = info?.dropped ?? null;
    const before = this.#dropsSeen;
    this.#dropsSeen = counts;
    if (counts === null || before === null || this.#source.state !== 'live') return;
    const news = Object.entries(counts).map(([cause, count]) => [cause, Number(count) - Number(before[cause] ?? 0)])
        .filter(([, count]) => count > 0);
    if (news.length === 0) return;
    this.#source.markDrops(`not stored: ${news.map(([cause, count]) => `${exact(count)} ${words(cause)}`).join(', ')}`);
  }
}

// A long list of rows of one height, of which only those in sight exist.

import {element} from './dom.js';

const kSpare = 6;  // rows above and below what is in sight

export class VirtualList {
  #scroller;
  #block = element('div', {class: 'vlist-block', role: 'presentation'});
  #space = element('div', {class: 'vlist-space', role: 'presentation'});
  #rows = [];
  #makeRow;
  #showItem;
  #count = 0;
  #itemAt = () => undefined;
  #height;

  /**
   * `scroller`: the element that scrolls. `makeRow()`: a row without content; `showItem(row, item,
   * index)`: fills it. The height of a row is the custom property --row of the scroller.
   */
  constructor(scroller, makeRow, showItem) {
    this.#scroller = scroller;
    this.#makeRow = makeRow;
    this.#showItem = showItem;
    this.#space.append(this.#block);
    scroller.append(this.#space);
    this.measure();
    scroller.addEventListener('scroll', () => this.refresh(), {passive: true});
    new ResizeObserver(() => {
      this.measure();
      this.refresh();
    }).observe(scroller);
  }

  measure() {
    this.#height = Number.parseFloat(getComputedStyle(this.#scroller).getPropertyValue('--row')) || 20;
  }

  get rowHeight() {
    return this.#height;
  }

  /** How many rows fit. */
  get page() {
    return Math.max(1, Math.floor(this.#scroller.clientHeight / this.#height));
  }

  get atEnd() {
    const {scrollTop, clientHeight, scrollHeight} = this.#scroller;
    return scrollTop + clientHeight >= scrollHeight - this.#height / 2;
  }

  /** The list is now `count` items; `itemAt(index)` gives each. `toEnd`: the last one in sight. */
  setItems(count, itemAt, toEnd = false) {
    this.#count = count;
    this.#itemAt = itemAt;
    if (toEnd) {
      this.#stretch();
      this.#scroller.scrollTop = count * this.#height;
    }
    this.refresh();
  }

  /** Scrolls as little as needed. */
  reveal(index) {
    const top = index * this.#height;
    const {scrollTop, clientHeight} = this.#scroller;
    if (top < scrollTop) this.#scroller.scrollTop = top;
    else if (top + this.#height > scrollTop + clientHeight) this.#scroller.scrollTop = top + this.#height - clientHeight;
  }

  #stretch() {
    const total = `${this.#count * this.#height}px`;
    if (this.#space.style.height !== total) this.#space.style.height = total;
  }

  /** Shows what is in sight; items are handed to showItem() again, which may know that nothing changed. */
  refresh() {
    this.#stretch();
    const visible = Math.ceil(this.#scroller.clientHeight / this.#height) + 2 * kSpare;
    const wanted = Math.max(0, Math.floor(this.#scroller.scrollTop / this.#height) - kSpare);
    const first = Math.max(0, Math.min(wanted, this.#count - visible));
    const shown = Math.min(visible, this.#count - first);
    this.#block.style.transform = `translateY(${first * this.#height}px)`;
    while (this.#rows.length < shown) {
      const row = this.#makeRow();
      this.#rows.push(row);
      this.#block.append(row);
    }
    while (this.#rows.length > shown) this.#rows.pop().remove();
    this.#rows.forEach((row, i) => this.#showItem(row, this.#itemAt(first + i), first + i));
  }
}

// A line with terminal colours as text in spans with classes. Other escape sequences are left out; control
// characters and those that turn the direction of text are shown, not obeyed.

import {element} from './dom.js';

// ESC [ parameters letter (CSI), ESC ] ... BEL or ESC \ (OSC and its kin), or ESC and one more character.
const kEscape = /\x1b(?:\[([0-9;:?<=>]*)[ -/]*([@-~])|[\]PX^_][^\x07\x1b]*(?:\x07|\x1b\\)|[ -/]*[0-~])?/g;
const kSpecial = /[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]/;
const kSpecials = new RegExp(kSpecial.source, 'g');

const kFlags = {1: 'bold', 2: 'dim', 3: 'italic', 4: 'underline', 7: 'inverse', 9: 'strike'};
const kFlagEnds = {22: ['bold', 'dim'], 23: ['italic'], 24: ['underline'], 27: ['inverse'], 29: ['strike']};

/** True for text that needs more than a text node. */
export function needsSpans(text) {
  return kSpecial.test(text);
}

/** The text without escape sequences, as it is looked at. */
export function withoutEscapes(text) {
  return text.replace(kEscape, '');
}

/** Appends `text` to `parent`, coloured. */
export function appendAnsi(parent, text) {
  const style = {flags: new Set(), foreground: null, background: null};
  let at = 0;
  for (const match of text.matchAll(kEscape)) {
    appendPiece(parent, text.slice(at, match.index), style);
    at = match.index + match[0].length;
    if (match[2] === 'm') applySgr(style, match[1]);
  }
  appendPiece(parent, text.slice(at), style);
}

function appendPiece(parent, text, style) {
  if (text === '') return;
  const plain = style.flags.size === 0 && style.foreground === null && style.background === null;
  if (plain) return appendVisible(parent, text);
  const span = element('span');
  for (const flag of style.flags) span.classList.add(`ansi-${flag}`);
  paint(span, style.foreground, 'fg', 'color');
  paint(span, style.background, 'bg', 'backgroundColor');
  appendVisible(span, text);
  parent.append(span);
}

/** The sixteen named colours are the theme's; the others are what they are. */
function paint(span, color, prefix, property) {
  if (color === null) return;
  if (typeof color === 'number') span.classList.add(`ansi-${prefix}-${color}`);
  else span.style[property] = `rgb(${color.join(' ')})`;
}

/** Text with what cannot be seen made visible. */
function appendVisible(parent, text) {
  let at = 0;
  for (const match of text.matchAll(kSpecials)) {
    parent.append(text.slice(at, match.index), element('span', {class: 'control'}, nameOf(match[0])));
    at = match.index + 1;
  }
  parent.append(text.slice(at));
}

function nameOf(character) {
  const code = character.codePointAt(0);
  if (code < 0x20) return String.fromCodePoint(0x2400 + code);
  if (code === 0x7f) return '␡';
  return `U+${code.toString(16).toUpperCase().padStart(4, '0')}`;
}

function applySgr(style, parameters) {
  const codes = parameters.split(/[;:]/).map((part) => (part === '' ? 0 : Number(part)));
  for (let i = 0; i < codes.length; ++i) {
    const code = codes[i];
    if (code === 38 || code === 48) i += applyExtended(style, codes, i);
    else applyCode(style, code);
  }
}

function applyCode(style, code) {
  if (code === 0) {
    style.flags.clear();
    style.foreground = style.background = null;
  } else if (kFlags[code]) {
    style.flags.add(kFlags[code]);
  } else if (kFlagEnds[code]) {
    for (const flag of kFlagEnds[code]) style.flags.delete(flag);
  } else if (code >= 30 && code <= 37) {
    style.foreground = code - 30;
  } else if (code >= 90 && code <= 97) {
    style.foreground = code - 82;
  } else if (code >= 40 && code <= 47) {
    style.background = code - 40;
  } else if (code >= 100 && code <= 107) {
    style.background = code - 92;
  } else if (code === 39) {
    style.foreground = null;
  } else if (code === 49) {
    style.background = null;
  }
}

/** 38;5;N and 38;2;R;G;B. Returns how many codes were used up. */
function applyExtended(style, codes, at) {
  const part = codes[at] === 38 ? 'foreground' : 'background';
  const isByte = (value) => Number.isInteger(value) && value >= 0 && value <= 255;
  if (codes[at + 1] === 5) {
    if (isByte(codes[at + 2])) style[part] = indexedColor(codes[at + 2]);
    return 2;
  }
  if (codes[at + 1] === 2) {
    const color = codes.slice(at + 2, at + 5);
    if (color.length === 3 && color.every(isByte)) style[part] = color;
    return 4;
  }
  return 0;
}

/** The palette of 256: sixteen named, a cube of 216, 24 greys. */
function indexedColor(index) {
  if (index < 16) return index;
  if (index >= 232) {
    const grey = 8 + (index - 232) * 10;
    return [grey, grey, grey];
  }
  const level = (step) => (step === 0 ? 0 : 55 + step * 40);
  const cube = index - 16;
  return [level(Math.floor(cube / 36)), level(Math.floor(cube / 6) % 6), level(cube % 6)];
}

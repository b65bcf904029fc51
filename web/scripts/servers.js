// The hub's list of hosts.

import {directories, getJson} from './api.js';
import {sum} from './causes.js';
import {byId, element, setText} from './dom.js';
import {ago, exact, moment, plural, short} from './format.js';
import {fill, QuotaBar, quotasOf} from './quota_bar.js';
import {SearchPanel} from './search_panel.js';
import {showSession} from './session.js';
import {listenForKeys, showHelp} from './shortcuts.js';
import {nextTheme, setUpTheme} from './theme.js';

const kListMs = 3_000;
const kUseMs = 15_000;    // how often one host is asked what it holds
const kAtOnce = 3;        // hosts asked at the same time: browsers allow six connections
const kMaxRows = 300;

let servers = [];
const rows = new Map();  // name → ServerRow
const queue = [];        // rows in sight that are due
let asking = 0;

class ServerRow {
  root;
  inSight = false;
  askedAt = -Infinity;
  #server = null;
  #name = element('a', {class: 'server-name'});
  #state = element('span', {class: 'host-state'});
  #seen = element('span', {class: 'muted'});
  #version = element('span', {class: 'muted'});
  #holds = element('span', {});
  #bar = new QuotaBar('');
  #fullest = element('span', {class: 'muted'});
  #lost = element('span', {});

  constructor() {
    this.#bar.root.hidden = true;
    const cell = (name, ...children) => element('td', {class: name}, ...children);
    this.root = element('tr', {}, cell('server', this.#name), cell('state', this.#state), cell('seen', this.#seen),
        cell('version', this.#version), cell('holds', this.#holds), cell('fullest', this.#fullest, this.#bar.root), cell('lost', this.#lost));
    this.root.row = this;
  }

  show(server) {
    this.#server = server;
    this.#name.href = `${encodeURIComponent(server.name)}/`;
    setText(this.#name, server.display_name);
    this.#name.title = server.name;
    this.#state.dataset.state = server.connected ? 'up' : 'away';
    setText(this.#state, server.paused ? 'paused' : server.connected ? 'connected' : 'away');
    const seen = server.last_seen === null ? 'never' : server.connected ? 'now' : ago(server.last_seen);
    setText(this.#seen, seen);
    this.#seen.title = server.last_seen === null ? '' : moment(server.last_seen);
    setText(this.#version, server.version === '' ? '–' : server.version);
  }

  get due() {
    return this.inSight && this.#server?.connected && this.#server.version !== '' && performance.now() - this.askedAt > kUseMs;
  }

  async ask() {
    this.askedAt = performance.now();
    try {
      this.#showUse(await directories(undefined, new URL(this.#name.href)));
    } catch (problem) {
      setText(this.#holds, problem.message);
    }
  }

  #showUse(state) {
    setText(this.#holds, plural(state.directories.length, 'directory', 'directories'));
    const uses = state.directories.flatMap((info) => quotasOf(info).slice(0, 2).map((quota) => ({info, quota})));
    uses.sort((a, b) => fill(b.quota.used, b.quota.limit) - fill(a.quota.used, a.quota.limit));
    this.#bar.root.hidden = uses.length === 0;
    if (uses.length > 0) {
      setText(this.#fullest, `${uses[0].info.name}: ${uses[0].quota.name}`);
      this.#bar.show(uses[0].quota);
    }
    const dropped = state.directories.reduce((total, info) => total + sum(info.dropped), 0);
    setText(this.#lost, dropped === 0 ? '0' : short(dropped));
    this.#lost.title = `${exact(dropped)} records not stored`;
    this.#lost.className = dropped === 0 ? 'muted' : 'bad';
  }
}

const sight = new IntersectionObserver((entries) => {
  for (const entry of entries) entry.target.row.inSight = entry.isIntersecting;
  askDue();
});

function askDue() {
  for (const row of rows.values()) {
    if (row.due && !queue.includes(row)) queue.push(row);
  }
  while (asking < kAtOnce && queue.length > 0) {
    ++asking;
    queue.shift().ask().finally(() => {
      --asking;
      askDue();
    });
  }
}

function show() {
  const wanted = byId('find').value.toLowerCase();
  const fitting = servers.filter((server) => `${server.name} ${server.display_name}`.toLowerCase().includes(wanted));
  const shown = fitting.slice(0, kMaxRows);
  const names = new Set(shown.map((server) => server.name));
  for (const [name, row] of rows) {
    if (names.has(name)) continue;
    sight.unobserve(row.root);
    row.root.remove();
    rows.delete(name);
  }
  shown.forEach((server, index) => {
    if (!rows.has(server.name)) {
      rows.set(server.name, new ServerRow());
      sight.observe(rows.get(server.name).root);
    }
    const row = rows.get(server.name);
    row.show(server);
    const body = byId('servers');
    if (body.children[index] !== row.root) body.insertBefore(row.root, body.children[index] ?? null);
  });
  const connected = servers.filter((server) => server.connected).length;
  setText(byId('summary'), `${plural(servers.length, 'server')}, ${exact(connected)} connected` +
      (fitting.length > kMaxRows ? ` · the first ${kMaxRows} of ${exact(fitting.length)}: type a part of the name` : ''));
  byId('none').hidden = servers.length > 0;
}

async function poll() {
  const bar = byId('connection');
  try {
    servers = (await getJson(new URL('/api/v1/servers', document.baseURI))).servers;
    bar.hidden = true;
    show();
    askDue();
  } catch (problem) {
    bar.hidden = false;
    setText(bar, `The hub does not answer: ${problem.message}. Trying again.`);
  }
  setTimeout(poll, kListMs);
}

/** Moves between the links of the list. */
function step(by) {
  const links = [...byId('servers').querySelectorAll('a')];
  const at = links.indexOf(document.activeElement);
  links[Math.max(0, Math.min(at + by, links.length - 1))]?.focus();
  return true;
}

const search = new SearchPanel();
byId('search').replaceWith(search.root);
setUpTheme(byId('theme'));
byId('help').addEventListener('click', showHelp);
byId('find').addEventListener('input', show);
listenForKeys({
  d: nextTheme,
  '/': () => byId('find').focus(),
  f: () => search.focus(),
  Escape: () => {
    byId('find').value = '';
    search.clear();
    show();
  },
  list: (key) => ({j: 1, ArrowDown: 1, k: -1, ArrowUp: -1}[key] ? step({j: 1, ArrowDown: 1, k: -1, ArrowUp: -1}[key]) : false),
});
showSession();
poll();

// The page of one host: which view is shown, and what all views share.

import {byId, element, setText} from './dom.js';
import {DirectoryPoll, directoryId} from './directory_poll.js';
import {age, short} from './format.js';
import {HostWatch} from './host_watch.js';
import {LogView} from './log_view.js';
import {directoryLink, Overview} from './overview.js';
import {place} from './api.js';
import {showSession} from './session.js';
import {listenForKeys, showHelp} from './shortcuts.js';
import {StatusView} from './status_view.js';
import {nextTheme, setUpTheme} from './theme.js';

let view = null;
let route = {kind: '', name: ''};
const poll = new DirectoryPoll(() => refresh());

/** '#/log/demo' as {kind: 'log', name: 'demo'}. */
function parseRoute() {
  const [, kind, name] = /^#\/(log|status)\/([^/]+)$/.exec(location.hash) ?? [];
  try {
    return kind === undefined ? {kind: '', name: ''} : {kind, name: decodeURIComponent(name)};
  } catch {
    return {kind: '', name: ''};
  }
}

function openView() {
  route = parseRoute();
  view?.detached();
  view = route.kind === 'log' ? new LogView(route.name) : route.kind === 'status' ? new StatusView(route.name) : new Overview();
  byId('main').replaceChildren(view.root);
  view.attached();
  document.body.dataset.view = route.kind || 'overview';
  document.title = [route.name, byId('host-name').textContent, 'Mayfly'].filter((part) => part !== '').join(' · ');
  refresh();
}

function refresh() {
  showConnection();
  if (poll.state === null || view === null) return;
  if (view instanceof Overview) view.show(poll);
  else view.update(poll.find(route.kind, route.name));
  showDirectories();
}

function showConnection() {
  const bar = byId('connection');
  bar.hidden = poll.problem === null;
  if (poll.problem === null) return;
  const {status, message} = poll.problem;
  setText(bar, `The host does not answer${status ? ` (${status})` : ''}: ${message}. Trying again.`);
}

/** The list at the side. */
function showDirectories() {
  const list = byId('directories');
  const wanted = poll.state.directories.map(directoryId).join(' ');
  if (list.dataset.shown !== wanted) {
    list.dataset.shown = wanted;
    const items = ['log', 'status'].map((kind) => poll.state.directories.filter((info) => info.kind === kind)).filter((group) => group.length > 0)
        .flatMap((group) => [element('li', {class: 'group'}, group[0].kind === 'log' ? 'Logs' : 'Statuses'), ...group.map(sideItem)]);
    list.replaceChildren(...items);
  }
  for (const link of list.querySelectorAll('a')) {
    const info = poll.find(link.dataset.kind, link.dataset.name);
    const current = info !== undefined && info.kind === route.kind && info.name === route.name;
    if (current) link.setAttribute('aria-current', 'page');
    else link.removeAttribute('aria-current');
    if (info) setText(link.lastChild, poll.rate(info).latest ? `${short(poll.rate(info).latest)}/s` : '');
  }
}

function sideItem(info) {
  return element('li', {}, element('a', {href: directoryLink(info), 'data-kind': info.kind, 'data-name': info.name},
      element('span', {}, info.name), element('span', {class: 'muted'})));
}

/** The directory before or after the one that is shown. */
function step(by) {
  const all = poll.state?.directories ?? [];
  if (all.length === 0) return;
  const at = all.findIndex((info) => info.kind === route.kind && info.name === route.name);
  location.hash = directoryLink(all[(at + by + all.length) % all.length]);
}

function watchHost() {
  const dot = byId('host-state');
  const watch = new HostWatch((host, isBack) => {
    setText(byId('host-name'), host.display_name);
    dot.dataset.state = host.connected ? 'up' : 'away';
    setText(dot, host.connected ? 'connected' : host.last_seen === null ? 'never seen' : `away for ${age(Date.now() - Date.parse(host.last_seen))}`);
    if (!isBack) return;
    view?.hostIsBack();
    poll.now();
  });
  watch.start();
}

setUpTheme(byId('theme'));
byId('help').addEventListener('click', showHelp);
if (place === 'hub') {
  watchHost();
  showSession();
}
listenForKeys({
  o: () => { location.hash = '#/'; },
  s: () => { if (place === 'hub') location.assign('../'); },
  d: nextTheme,
  '[': () => step(-1),
  ']': () => step(1),
  '/': () => view.focusFilter(),
  c: () => view.focusKey?.(),
  f: () => view.toggleFollow?.(),
  ' ': () => view.toggleFollow?.(),
  t: () => view.jump?.(),
  Escape: () => view.escape(),
  list: (key) => view.listKey(key),
});
addEventListener('hashchange', openView);
addEventListener('pagehide', () => view?.detached());
addEventListener('pageshow', (event) => { if (event.persisted) openView(); });
openView();

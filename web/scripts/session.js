// Who is logged in, where the hub asks people to.

import {getJson} from './api.js';
import {byId, element} from './dom.js';

/** Shows who reads, a way out, and for administrators the way to their pages. */
export async function showSession() {
  let session;
  try {
    session = await getJson(new URL('/frontend/session', document.baseURI));
  } catch {
    return;
  }
  const parts = [];
  if (session.administers) {
    parts.push(element('a', {href: '/frontend/audit_log'}, 'Audit log'), element('a', {href: '/frontend/unregistered_servers'}, 'Unregistered'));
  }
  if (session.csrf !== null) {  // else there is no session that could end
    parts.push(element('span', {class: 'muted'}, session.name),
        element('form', {method: 'post', action: '/logout'}, element('input', {type: 'hidden', name: 'csrf', value: session.csrf}),
                element('button', {type: 'submit'}, 'Log out')));
  }
  byId('session').replaceChildren(...parts);
}

// Runs before the first paint, so that no page flashes in the other theme. The choice is the only
// thing that the page keeps in the browser.
'use strict';
try {
  const chosen = localStorage.getItem('mayfly-theme');
  if (chosen === 'dark' || chosen === 'light') document.documentElement.dataset.theme = chosen;
} catch {
  // Storage is switched off: the system's theme it is.
}

// A seat map in a page without a bundler: the import map of index.html leads to the modules of the package.

/** @import { FrontrowSeatsElement } from 'frontrow/seats' */
import 'frontrow/seats';

const query = new URLSearchParams(location.search);
const hall = /** @type {FrontrowSeatsElement} */ (document.querySelector('frontrow-seats'));
const status = /** @type {HTMLElement} */ (document.querySelector('[role=status]'));
const best = /** @type {HTMLButtonElement} */ (document.querySelector('button'));

hall.addEventListener('selection', ({ detail: { seats, total } }) => {
  const names = seats.map(({ row, number }) => row + number);
  status.textContent = names.length > 0 ? `${names.join(', ')}: ${total} EUR` : 'No seats yet';
});
hall.addEventListener('conflict', ({ detail }) => (status.textContent = detail.message));
hall.addEventListener('checkout', ({ detail }) => (status.textContent = `To pay: ${detail.total} EUR`));
best.addEventListener('click', () => hall.holdBest(2));

hall.server = query.get('server') ?? 'http://127.0.0.1:8000';
hall.screening = Number(query.get('screening') ?? 1);

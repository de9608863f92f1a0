// Importing this module defines `<frontrow-seats>`.

import { FrontrowSeats } from './frontrow_seats';

export type * from './public';

if (!customElements.get('frontrow-seats')) customElements.define('frontrow-seats', FrontrowSeats);

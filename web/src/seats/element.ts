// The component in the npm package: importing it defines `<frontrow-seats>`.

import { FrontrowSeats } from './frontrow_seats.js';

export type * from './public.js';

FrontrowSeats.define();

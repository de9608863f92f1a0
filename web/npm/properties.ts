// What frameworks may set on `<frontrow-seats>`, as attributes or properties.

import type { FrontrowSeatsElement } from '../src/seats/public.js';

type Property = 'server' | 'screening' | 'token' | 'guestId' | 'accessCode' | 'currency' | 'texts';

export type SeatsProperties = Partial<Pick<FrontrowSeatsElement, Property>> & {
  /** By default what the visitor's system prefers. */
  theme?: 'light' | 'dark';
};

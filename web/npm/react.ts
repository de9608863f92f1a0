// `<frontrow-seats>` in React 19, which sets properties and listens to events of custom elements by itself. An event's
// property is `on` and its name, such as `onselection`.

import type { DetailedHTMLProps, HTMLAttributes } from 'react';
import type { FrontrowSeatsElement, FrontrowSeatsEvents } from '../src/seats/public.js';
import type { SeatsProperties } from './properties.js';
import '../src/seats/element.js';

export type * from '../src/seats/public.js';

type Listeners = { [Name in keyof FrontrowSeatsEvents as `on${Name}`]?: (event: FrontrowSeatsEvents[Name]) => void };
type Usual = DetailedHTMLProps<HTMLAttributes<FrontrowSeatsElement>, FrontrowSeatsElement>;

/** The properties of `<frontrow-seats>` in JSX. */
export type FrontrowSeatsProps = Usual & SeatsProperties & Listeners;

declare module 'react' {
  namespace JSX {
    interface IntrinsicElements {
      'frontrow-seats': FrontrowSeatsProps;
    }
  }
}

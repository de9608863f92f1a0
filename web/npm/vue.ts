// `<frontrow-seats>` in the templates of Vue. The compiler must know that it is an element and not a component of Vue:
// `isCustomElement: (tag) => tag === 'frontrow-seats'`.

import type { HTMLAttributes, PublicProps } from 'vue';
import type { FrontrowSeatsElement, FrontrowSeatsEvents } from '../src/seats/public.js';
import type { SeatsProperties } from './properties.js';
import '../src/seats/element.js';

export type * from '../src/seats/public.js';

type Listeners = {
  [Name in keyof FrontrowSeatsEvents as `on${Capitalize<Name>}`]?: (event: FrontrowSeatsEvents[Name]) => void;
};

/** The properties of `<frontrow-seats>` in templates. */
export type FrontrowSeatsProps = PublicProps & Omit<HTMLAttributes, keyof Listeners> & SeatsProperties & Listeners;

declare module 'vue' {
  interface GlobalComponents {
    'frontrow-seats': new () => FrontrowSeatsElement & { $props: FrontrowSeatsProps };
  }
}

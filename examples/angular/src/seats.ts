// <frontrow-seats> in the templates of Angular, which checks what they set and hear against these types.

import { Directive, effect, ElementRef, inject, input, output } from '@angular/core';
import type { FrontrowSeatsElement, FrontrowSeatsEvents } from 'frontrow/seats';
import 'frontrow/seats';

@Directive({ selector: 'frontrow-seats' })
export class Seats {
  readonly server = input.required<string>();
  readonly screening = input.required<number>();
  readonly currency = input('');
  // The element sends these events: Angular listens to it under the names of the outputs.
  readonly selection = output<FrontrowSeatsEvents['selection']>();
  readonly conflict = output<FrontrowSeatsEvents['conflict']>();
  readonly checkout = output<FrontrowSeatsEvents['checkout']>();

  constructor() {
    const seats = inject<ElementRef<FrontrowSeatsElement>>(ElementRef).nativeElement;
    effect(() => {
      seats.server = this.server();
      seats.screening = this.screening();
      seats.currency = this.currency();
    });
  }
}

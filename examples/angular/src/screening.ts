// A seat map in Angular.

import { Component, signal } from '@angular/core';
import type { FrontrowSeatsEvents } from 'frontrow/seats';
import { Seats } from './seats';

const query = new URLSearchParams(location.search);

@Component({
  selector: 'app-screening',
  imports: [Seats],
  template: `
    <main>
      <h1>Choose your seats</h1>
      <p role="status">{{ status() }}</p>
      <button type="button" (click)="hall.holdBest(2)">Best two seats</button>
      <frontrow-seats
        #hall
        currency="EUR"
        [server]="server"
        [screening]="screening"
        (selection)="choose($event)"
        (conflict)="status.set($event.detail.message)"
        (checkout)="status.set('To pay: ' + $event.detail.total + ' EUR')"
      ></frontrow-seats>
    </main>
  `,
})
export class Screening {
  readonly server = query.get('server') ?? 'http://127.0.0.1:8000';
  readonly screening = Number(query.get('screening') ?? 1);
  readonly status = signal('No seats yet');

  choose({ detail: { seats, total } }: FrontrowSeatsEvents['selection']): void {
    const names = seats.map(({ row, number }) => row + number);
    this.status.set(names.length > 0 ? `${names.join(', ')}: ${total} EUR` : 'No seats yet');
  }
}

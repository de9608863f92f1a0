// What the door is told about a scan: a colour, and words that can be read at arm's length.

import { Problem } from '../api/problem';
import type { components } from '../api/schema';
import { formatTime } from '../common/format';

export type Admission = components['schemas']['Admission'];
type Ticket = components['schemas']['ScannedTicket'];

export interface Verdict {
  tone: 'good' | 'bad';
  /** A word or two. */
  title: string;
  /** What to do, or who it is. */
  text: string;
  /** The place, if the ticket is known. */
  place: string;
}

const REFUSED: Readonly<Record<string, string>> = {
  already_admitted: 'Already in',
  ticket_unpaid: 'Not paid',
  ticket_cancelled: 'Cancelled',
  booking_in_progress: 'Scan again',
  wrong_screening: 'Wrong screening',
  too_early: 'Too early',
  screening_over: 'Over',
  code_replaced: 'Given away',
  unknown_code: 'Unknown code',
  not_admitted: 'Not admitted',
  not_inside: 'Not inside',
  reentry_not_allowed: 'No re-entry',
};

/** What to show for an accepted scan. */
export function accepted(ticket: Admission): Verdict {
  const title =
    ticket.result === 'left' ? 'Left' : ticket.result === 'undone' ? 'Taken back' : ticket.entries > 1 ? 'Welcome back' : 'Admitted';
  return { tone: ticket.result === 'admitted' ? 'good' : 'bad', title, text: ticket.holder ?? '', place: placeOf(ticket) };
}

/** What to show for a refused scan, or for one that got no answer. */
export function refused(problem: Problem): Verdict {
  const title = REFUSED[problem.code];
  if (title === undefined) {
    return { tone: 'bad', title: 'Not decided', text: `${problem.message} Scan it again.`, place: '' };
  }
  const ticket = problem.details as Partial<Ticket>;
  const text =
    problem.code === 'already_admitted' && ticket.admitted_at
      ? `At ${formatTime(ticket.admitted_at, ticket.time_zone)}, at the gate ${ticket.gate}`
      : problem.message;
  return { tone: 'bad', title, text: [text, ticket.holder].filter(Boolean).join(' · '), place: placeOf(ticket) };
}

function placeOf({ place }: Partial<Ticket>): string {
  return place ?? '';
}

// What an operator does by hand. Every action asks once and says what will happen; the event log names who did it.

import type { ComponentChildren } from 'preact';
import { useState } from 'preact/hooks';
import { answered, api } from '../api/client';
import { Problem } from '../api/problem';
import { Dialog, ProblemNotice } from '../common/pieces';

/**
 * A question before something is done.
 *
 * @param act does it, and returns what to say afterwards; a `Problem` is shown
 * @param done called after it was done
 */
export function Ask({
  title,
  button,
  danger = false,
  ready = true,
  act,
  done,
  close,
  children,
}: {
  title: string;
  button: string;
  danger?: boolean;
  ready?: boolean;
  act: () => Promise<string>;
  done: (said: string) => void;
  close: () => void;
  children: ComponentChildren;
}) {
  const [busy, setBusy] = useState(false);
  const [problem, setProblem] = useState<Problem | null>(null);

  async function go(): Promise<void> {
    setBusy(true);
    setProblem(null);
    try {
      done(await act());
    } catch (error) {
      if (!(error instanceof Problem)) throw error;
      setProblem(error);
      setBusy(false);
    }
  }

  return (
    <Dialog title={title} close={close}>
      {children}
      {problem && <ProblemNotice problem={problem} />}
      <div class="row">
        <button
          type="button"
          class={`button ${danger ? 'button-danger' : ''}`}
          disabled={busy || !ready}
          onClick={() => void go()}
        >
          {button}
        </button>
        <button type="button" class="button button-quiet" onClick={close}>
          Leave it
        </button>
      </div>
    </Dialog>
  );
}

/** The seats that somebody holds. */
export interface Holding {
  holder: string;
  who: string;
  seatIds: number[];
}

export function seats(number: number): string {
  return number === 1 ? '1 seat' : `${number} seats`;
}

export function AskRelease({
  screeningId,
  holdings,
  names,
  done,
  close,
}: {
  screeningId: number;
  holdings: readonly Holding[];
  names: (seatIds: readonly number[]) => string;
  done: (said: string) => void;
  close: () => void;
}) {
  const number = holdings.reduce((sum, holding) => sum + holding.seatIds.length, 0);
  return (
    <Ask
      title={`Release ${seats(number)}?`}
      button={`Release ${seats(number)}`}
      danger
      close={close}
      done={done}
      act={async () => {
        let released = 0;
        for (const { holder, seatIds } of holdings) {
          const answer = await answered(
            api.POST('/api/v1/ops/screenings/{screening_id}/release', {
              params: { path: { screening_id: screeningId } },
              body: { holder, seat_ids: seatIds },
            }),
          );
          released += answer.released.length;
        }
        return released ? `${seats(released)} released.` : 'Nothing was released: the hold had ended before.';
      }}
    >
      <ul class="plain">
        {holdings.map(({ holder, who, seatIds }) => (
          <li key={holder}>
            <strong>{who}</strong> loses {names(seatIds)}.
          </li>
        ))}
      </ul>
      <p class="muted">The seats are free for everybody at once. The log names you.</p>
    </Ask>
  );
}

export function AskCancel({
  ticketId,
  who,
  seat,
  done,
  close,
}: {
  ticketId: number;
  who: string;
  seat: string;
  done: (said: string) => void;
  close: () => void;
}) {
  return (
    <Ask
      title="Cancel this booking?"
      button="Cancel the booking"
      danger
      close={close}
      done={done}
      act={async () => {
        await answered(
          api.PUT('/api/v1/tickets/{ticket_id}/status', {
            params: { path: { ticket_id: ticketId } },
            body: { status: 'cancelled' },
          }),
        );
        return `The booking of ${seat} is cancelled.`;
      }}
    >
      <p>
        <strong>{who}</strong> loses {seat} (ticket {ticketId}), and the seat is free for everybody.
      </p>
      <p class="muted">No money is paid back by this. The log names you.</p>
    </Ask>
  );
}

export function AskLogLevel({
  mark,
  name,
  level,
  done,
  close,
}: {
  mark: string;
  name: string;
  level: 'debug' | 'info' | 'warning' | 'error';
  done: (said: string) => void;
  close: () => void;
}) {
  return (
    <Ask
      title={`Log ${level} at ${name}?`}
      button="Change the log level"
      close={close}
      done={done}
      act={async () => {
        await answered(
          api.PUT('/api/v1/ops/servers/{mark}/log-level', { params: { path: { mark } }, body: { level } }),
        );
        return `${name} logs ${level} now.`;
      }}
    >
      <p>
        The server logs lines of level <strong>{level}</strong> and above until it ends; a restart goes back to its
        settings. Its log names you.
      </p>
    </Ask>
  );
}

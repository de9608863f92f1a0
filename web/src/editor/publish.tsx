// Publishing: first the server says what would change and what stands in the way, then the user decides.

import { useEffect, useRef, useState } from 'preact/hooks';
import { answered, api } from '../api/client';
import { Problem } from '../api/problem';
import type { components } from '../api/schema';
import { formatDay, formatTime } from '../common/format';
import { Dialog, Notice, ProblemNotice, Waiting } from '../common/pieces';
import type { LayoutDocument } from './plan';

type Changes = components['schemas']['LayoutChanges'];

/** Between attempts while the server is away or busy. */
const PAUSE_MS = 1500;

/** @param key the same for all attempts, so that the layout is published once, and every attempt is answered alike */
async function put(roomId: number, layout: LayoutDocument, dryRun: boolean, key: string): Promise<Changes> {
  return answered(
    api.PUT('/api/v1/rooms/{room_id}/layout', {
      params: { path: { room_id: roomId }, query: { dry_run: dryRun }, header: { 'Idempotency-Key': key } },
      body: layout,
    }),
  );
}

function newKey(): string {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, '0')).join('');
}

/**
 * @param layout what to publish, based on the version in it
 * @param published called with the new version
 * @param rebase the user wants to publish over a newer version
 */
export function PublishDialog({
  roomId,
  layout,
  published,
  rebase,
  close,
}: {
  roomId: number;
  layout: LayoutDocument;
  published: (version: number) => void;
  rebase: (version: number) => void;
  close: () => void;
}) {
  const [changes, setChanges] = useState<Changes | null>(null);
  const [problem, setProblem] = useState<Problem | null>(null);
  const [isBusy, setBusy] = useState(false);
  const isOpen = useRef(true);

  /** Ask the server until it has carried out or refused the request, or the dialog is closed. */
  const ask = async (dryRun: boolean, done: (changes: Changes) => void) => {
    const key = newKey();
    setBusy(true);
    while (isOpen.current) {
      try {
        const changes = await put(roomId, layout, dryRun, key);
        setProblem(null);
        done(changes);
        break;
      } catch (error) {
        if (!(error instanceof Problem)) throw error;
        setProblem(error);
        if (!error.retryable) break;
      }
      await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
    }
    setBusy(false);
  };
  useEffect(() => void ask(true, setChanges), [layout.version]);
  useEffect(() => () => void (isOpen.current = false), []);

  const newer = problem?.code === 'layout_changed' ? Number(problem.details.version) : null;
  return (
    <Dialog title="Publish this layout?" close={close}>
      {changes === null && !problem && <Waiting />}
      {problem && newer === null && (
        <ProblemNotice problem={problem} />
      )}
      {problem && (problem.errors.seats ?? []).slice(0, 10).map((fault) => <p key={fault}>{fault}</p>)}
      {newer !== null && (
        <Notice tone="bad">
          <span>Somebody has published another layout of this room in the meantime.</span>
          <button type="button" class="button button-quiet" onClick={() => rebase(newer)}>
            Replace it by mine
          </button>
        </Notice>
      )}
      {changes && newer === null && <Summary changes={changes} />}
      <div class="row">
        <button
          type="button"
          class="button"
          disabled={changes === null || changes.taken > 0 || newer !== null || isBusy}
          onClick={() => void ask(false, ({ version }) => published(version))}
        >
          Publish now
        </button>
        <button type="button" class="button button-quiet" onClick={close}>
          Go on editing
        </button>
      </div>
    </Dialog>
  );
}

function Summary({ changes }: { changes: Changes }) {
  const counts: [number, string][] = [
    [changes.added, 'added'],
    [changes.removed, 'removed'],
    [changes.moved, 'moved'],
    [changes.retyped, 'of another type'],
  ];
  const changed = counts.filter(([count]) => count > 0);
  return (
    <>
      {changed.length === 0 ? (
        <p>No seat changes.</p>
      ) : (
        <ul class="editor-counts">
          {changed.map(([count, words]) => (
            <li key={words}>
              <strong>{count}</strong> {count === 1 ? 'seat' : 'seats'} {words}
            </li>
          ))}
        </ul>
      )}
      <p class="muted">
        {changes.screenings === 0
          ? 'No screening to come takes place in this room.'
          : `${changes.screenings === 1 ? 'One screening' : `${changes.screenings} screenings`} to come will be sold with these seats at once. Sold and reserved seats stay.`}
      </p>
      {changes.taken > 0 && (
        <div class="stack editor-obstacles" role="alert">
          <p>
            <strong>
              {changes.taken === 1 ? 'One seat is' : `${changes.taken} seats are`} sold or reserved and cannot be removed:
            </strong>
          </p>
          <ul>
            {changes.obstacles.map(({ screening_id, title, starts_at, time_zone, seats }) => (
              <li key={screening_id}>
                {title}, {formatDay(starts_at, time_zone)} {formatTime(starts_at, time_zone)}:{' '}
                {seats
                  .map(({ row_label, seat_number, status }) => `row ${row_label} seat ${seat_number} (${status === 'booked' ? 'sold' : status})`)
                  .join(', ')}
              </li>
            ))}
          </ul>
        </div>
      )}
    </>
  );
}

// Keeping seats back, and releasing them: an administrator's questions about blocks.

import { useEffect, useState } from 'preact/hooks';
import { answered, api } from '../api/client';
import type { components } from '../api/schema';
import { Field } from '../common/pieces';
import { Ask } from './actions';

type Block = components['schemas']['BlockView'];
type Kind = 'house' | 'kill' | 'channel';

const KINDS: readonly { kind: Kind; words: string }[] = [
  { kind: 'house', words: 'for the house: administrators sell them' },
  { kind: 'kill', words: 'for nobody: broken, or a bad view' },
  { kind: 'channel', words: 'for a channel: whoever has its access code' },
];

const BLOCKS_READ = 200;

export function AskBlock({
  screeningId,
  seatIds,
  names,
  done,
  close,
}: {
  screeningId: number;
  seatIds: readonly number[];
  names: string;
  done: (said: string) => void;
  close: () => void;
}) {
  const [label, setLabel] = useState('');
  const [kind, setKind] = useState<Kind>('house');
  const [channel, setChannel] = useState('');
  const [release, setRelease] = useState('');
  return (
    <Ask
      title="Keep seats back?"
      button="Keep back"
      ready={label.trim() !== '' && (kind !== 'channel' || channel.trim() !== '')}
      close={close}
      done={done}
      act={async () => {
        await answered(
          api.POST('/api/v1/admin/screenings/{screening_id}/blocks', {
            params: { path: { screening_id: screeningId } },
            body: {
              label,
              kind,
              seat_ids: [...seatIds],
              release_at: release ? new Date(release).toISOString() : null,
              ...(kind === 'channel' ? { channel: channel.trim() } : {}),
            },
          }),
        );
        return `${names} kept back.`;
      }}
    >
      <p>{names}</p>
      <Field
        label="Label"
        hint="What operators call it, such as “Press, front row”"
        value={label}
        required
        autocomplete="off"
        onInput={(event) => setLabel(event.currentTarget.value)}
      />
      <fieldset class="stack">
        <legend>Kept back</legend>
        {KINDS.map((one) => (
          <label class="row" key={one.kind}>
            <input
              type="radio"
              name="kind"
              value={one.kind}
              checked={kind === one.kind}
              onChange={() => setKind(one.kind)}
            />
            {one.words}
          </label>
        ))}
      </fieldset>
      {kind === 'channel' && (
        <Field
          label="Channel"
          value={channel}
          required
          autocomplete="off"
          onInput={(event) => setChannel(event.currentTarget.value)}
        />
      )}
      <Field
        label="Release at"
        hint="Leave it empty to release them by hand"
        type="datetime-local"
        value={release}
        onInput={(event) => setRelease(event.currentTarget.value)}
      />
      <p class="muted">Others see the seats as sold. The log names you.</p>
    </Ask>
  );
}

/** The chosen seats of each block. */
export function chosenOf(blocks: readonly Block[], seatIds: readonly number[]): { block: Block; seatIds: number[] }[] {
  const chosen = new Set(seatIds);
  return blocks
    .map((block) => ({ block, seatIds: block.seat_ids.filter((id) => chosen.has(id)) }))
    .filter((part) => part.seatIds.length > 0);
}

export function AskUnblock({
  screeningId,
  seatIds,
  names,
  done,
  close,
}: {
  screeningId: number;
  seatIds: readonly number[];
  names: (seatIds: readonly number[]) => string;
  done: (said: string) => void;
  close: () => void;
}) {
  const [parts, setParts] = useState<ReturnType<typeof chosenOf> | null>(null);
  const path = { screening_id: screeningId };
  useEffect(() => {
    const read = async (): Promise<void> => {
      const found = api.GET('/api/v1/admin/screenings/{screening_id}/blocks', {
        params: { path, query: { size: BLOCKS_READ } },
      });
      setParts(chosenOf(await answered(found).catch(() => []), seatIds));
    };
    void read();
  }, [screeningId, seatIds.join()]);
  return (
    <Ask
      title="Release seats that are kept back?"
      button="Put them on sale"
      ready={parts !== null && parts.length > 0}
      close={close}
      done={done}
      act={async () => {
        for (const { block, seatIds: some } of parts ?? []) {
          await answered(
            api.DELETE('/api/v1/admin/screenings/{screening_id}/blocks/{block_id}', {
              params: { path: { ...path, block_id: block.id }, query: { seat_ids: some } },
            }),
          );
        }
        return 'The seats are on sale.';
      }}
    >
      <ul class="plain">
        {(parts ?? []).map(({ block, seatIds: some }) => (
          <li key={block.id}>
            <strong>{block.label}</strong> ({block.channel ?? block.kind}) loses {names(some)}.
          </li>
        ))}
      </ul>
      {parts?.length === 0 && <p>They have been released already.</p>}
      <p class="muted">The seats are free for everybody at once. The log names you.</p>
    </Ask>
  );
}

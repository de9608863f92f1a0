// The page at /ops/deliveries: mails and other messages that could not be delivered, wait, or have been delivered.

import { useState } from 'preact/hooks';
import { answered, api } from '../api/client';
import type { components } from '../api/schema';
import { Notice, Shown } from '../common/pieces';
import { Choices, Pages, useAction, useReloading, when } from './lists';

type Message = components['schemas']['MessageEntry'];
type Status = Message['status'];

const PAGE = 50;

const LISTS: Record<Status, { name: string; none: string; when: string }> = {
  dead: { name: 'Given up', none: 'Everything could be delivered.', when: 'Given up' },
  waiting: { name: 'Waiting', none: 'Nothing waits.', when: 'Next attempt' },
  delivered: { name: 'Delivered', none: 'Nothing has been delivered yet.', when: 'Delivered' },
};

export function DeliveriesPage() {
  const [status, setStatus] = useState<Status>('dead');
  const [page, setPage] = useState(1);
  const loaded = useReloading(
    () => answered(api.GET('/api/v1/admin/outbox/', { params: { query: { status, page, size: PAGE } } })),
    [status, page],
  );

  const { run, isBusy, shown } = useAction(loaded.reload);
  const retry = (messages: readonly Message[]) =>
    run(async () => {
      for (const { id } of messages) {
        await answered(api.POST('/api/v1/admin/outbox/{message_id}/retry', { params: { path: { message_id: id } } }));
      }
      return messages.length === 1 ? '1 message is delivered again.' : `${messages.length} messages are delivered again.`;
    });

  return (
    <>
      <h1>Deliveries</h1>
      <p>Mails that fail are tried again for days. Then they are given up, unless you retry them.</p>
      <section class="stack" aria-label="Messages">
        <Choices
          label="Which messages"
          choices={{ dead: LISTS.dead.name, waiting: LISTS.waiting.name, delivered: LISTS.delivered.name }}
          value={status}
          choose={(chosen) => {
            setStatus(chosen);
            setPage(1);
          }}
        />
        {shown}
        <Shown loaded={loaded}>
          {(messages) =>
            messages.length ? (
              <>
                <MessageTable status={status} messages={messages} isBusy={isBusy} retry={(message) => void retry([message])} />
                <div class="row row-apart">
                  <Pages page={page} full={messages.length === PAGE} go={setPage} />
                  {status === 'dead' && (
                    <button type="button" class="button" disabled={isBusy} onClick={() => void retry(messages)}>
                      Retry all on this page
                    </button>
                  )}
                </div>
              </>
            ) : (
              <>
                <Notice>{page === 1 ? LISTS[status].none : 'There are no more.'}</Notice>
                <Pages page={page} full={false} go={setPage} />
              </>
            )
          }
        </Shown>
      </section>
    </>
  );
}

function MessageTable({
  status,
  messages,
  isBusy,
  retry,
}: {
  status: Status;
  messages: readonly Message[];
  isBusy: boolean;
  retry: (message: Message) => void;
}) {
  return (
    <div class="table-frame card" role="region" aria-label={LISTS[status].name} tabIndex={0}>
      <table>
        <thead>
          <tr>
            <th scope="col">Message</th>
            <th scope="col">Written</th>
            <th scope="col">{LISTS[status].when}</th>
            <th scope="col" class="number">
              Attempts
            </th>
            <th scope="col">Last error</th>
            {status === 'dead' && (
              <th scope="col">
                <span class="visually-hidden">Action</span>
              </th>
            )}
          </tr>
        </thead>
        <tbody>
          {messages.map((message) => (
            <tr key={message.id}>
              <th scope="row">
                {message.subject}
                <small class="muted">
                  {message.kind}, {cause(message)}number {message.id}
                </small>
              </th>
              <td>{when(message.created_at)}</td>
              <td>{when(message.due_at ?? message.finished_at ?? message.created_at)}</td>
              <td class="number">{message.attempts}</td>
              <td class="long-text">{message.error ?? ''}</td>
              {status === 'dead' && (
                <td>
                  <button
                    type="button"
                    class="button button-quiet"
                    disabled={isBusy}
                    aria-label={`Retry ${message.subject}, number ${message.id}`}
                    onClick={() => retry(message)}
                  >
                    Retry
                  </button>
                </td>
              )}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

function cause({ payload }: Message): string {
  const named = payload.cause ?? payload.type;
  return typeof named === 'string' ? `${named.replaceAll('_', ' ')}, ` : '';
}

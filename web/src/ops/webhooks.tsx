// The page at /ops/webhooks: where events are sent to, whether that works, and the log of each webhook.

import { useState } from 'preact/hooks';
import { answered, api } from '../api/client';
import type { components } from '../api/schema';
import { Notice, Shown } from '../common/pieces';
import { Choices, Pages, useAction, useReloading, when } from './lists';

type Webhook = components['schemas']['WebhookView'];
type Delivery = components['schemas']['Delivery'];
type Status = Delivery['status'];

const PAGE = 50;
const LISTS: Record<Status, { name: string; none: string }> = {
  failing: { name: 'Failing', none: 'Nothing fails.' },
  dead: { name: 'Given up', none: 'Nothing was given up.' },
  delivered: { name: 'Delivered', none: 'Nothing has been delivered yet.' },
};

export function WebhooksPage() {
  const [chosen, choose] = useState<number | null>(null);
  const loaded = useReloading(() => answered(api.GET('/api/v1/admin/webhooks', {})), []);
  const { run, isBusy, shown } = useAction(loaded.reload);

  const test = ({ id, url }: Webhook) =>
    run(async () => {
      const sent = await answered(
        api.POST('/api/v1/admin/webhooks/{webhook_id}/test', { params: { path: { webhook_id: id } } }),
      );
      return `Test of ${url}: ${sent.error ?? `accepted with status ${sent.status} in ${sent.duration_ms} ms`}`;
    });
  const enable = ({ id, url }: Webhook, enabled: boolean) =>
    run(async () => {
      await answered(
        api.PATCH('/api/v1/admin/webhooks/{webhook_id}', { params: { path: { webhook_id: id } }, body: { enabled } }),
      );
      return enabled ? `${url} gets events again, beginning with those that wait.` : `Events for ${url} wait from now on.`;
    });

  return (
    <>
      <h1>Webhooks</h1>
      <p>Events are sent to these addresses. Webhooks are created over the API.</p>
      <section class="stack" aria-label="Webhooks">
        {shown}
        <Shown loaded={loaded}>
          {(webhooks) =>
            webhooks.length ? (
              <WebhookTable
                {...{ webhooks, isBusy, chosen, choose }}
                test={(webhook) => void test(webhook)}
                enable={(webhook, enabled) => void enable(webhook, enabled)}
              />
            ) : (
              <Notice>There are no webhooks.</Notice>
            )
          }
        </Shown>
      </section>
      {chosen !== null && <Log key={chosen} webhookId={chosen} />}
    </>
  );
}

function WebhookTable({
  webhooks,
  isBusy,
  chosen,
  choose,
  test,
  enable,
}: {
  webhooks: readonly Webhook[];
  isBusy: boolean;
  chosen: number | null;
  choose: (id: number) => void;
  test: (webhook: Webhook) => void;
  enable: (webhook: Webhook, enabled: boolean) => void;
}) {
  return (
    <div class="table-frame card" role="region" aria-label="All webhooks" tabIndex={0}>
      <table>
        <thead>
          <tr>
            <th scope="col">Address</th>
            <th scope="col">State</th>
            <th scope="col">Waiting since</th>
            <th scope="col">
              <span class="visually-hidden">Actions</span>
            </th>
          </tr>
        </thead>
        <tbody>
          {webhooks.map((webhook) => (
            <tr key={webhook.id}>
              <th scope="row" class="long-text">
                {webhook.url}
                <small class="muted">{webhook.description || webhook.events.join(', ')}</small>
              </th>
              <td class="long-text">
                <State webhook={webhook} />
              </td>
              <td>{webhook.waiting_since ? when(webhook.waiting_since) : ''}</td>
              <td class="row">
                <button
                  type="button"
                  class="button button-quiet"
                  aria-pressed={webhook.id === chosen}
                  aria-label={`Log of ${webhook.url}`}
                  onClick={() => choose(webhook.id)}
                >
                  Log
                </button>
                <button
                  type="button"
                  class="button button-quiet"
                  disabled={isBusy}
                  aria-label={`Test ${webhook.url}`}
                  onClick={() => test(webhook)}
                >
                  Test
                </button>
                <button
                  type="button"
                  class="button button-quiet"
                  disabled={isBusy}
                  aria-label={`${webhook.disabled_at ? 'Enable' : 'Disable'} ${webhook.url}`}
                  onClick={() => enable(webhook, webhook.disabled_at !== null)}
                >
                  {webhook.disabled_at ? 'Enable' : 'Disable'}
                </button>
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

function State({ webhook }: { webhook: Webhook }) {
  if (webhook.disabled_at)
    return (
      <>
        <span class="badge badge-warn">Disabled</span> {when(webhook.disabled_at)}: {webhook.disabled_because}
      </>
    );
  if (webhook.failing_since)
    return (
      <>
        <span class="badge badge-warn">Failing</span> since {when(webhook.failing_since)}
      </>
    );
  return <span class="badge badge-good">Enabled</span>;
}

function Log({ webhookId }: { webhookId: number }) {
  const [status, setStatus] = useState<Status>('failing');
  const [page, setPage] = useState(1);
  const loaded = useReloading(
    () =>
      answered(
        api.GET('/api/v1/admin/webhooks/{webhook_id}/deliveries', {
          params: { path: { webhook_id: webhookId }, query: { status, page, size: PAGE } },
        }),
      ),
    [webhookId, status, page],
  );
  const { run, isBusy, shown } = useAction(loaded.reload);
  const sendAgain = ({ position, type }: Delivery) =>
    run(async () => {
      const sent = await answered(
        api.POST('/api/v1/admin/webhooks/{webhook_id}/deliveries/{position}/retry', {
          params: { path: { webhook_id: webhookId, position } },
        }),
      );
      return `${type}, position ${position}: ${sent.error ?? 'delivered'}`;
    });

  return (
    <section class="stack" aria-label="Deliveries">
      <Choices
        label="Which deliveries"
        choices={{ failing: LISTS.failing.name, dead: LISTS.dead.name, delivered: LISTS.delivered.name }}
        value={status}
        choose={(wanted) => {
          setStatus(wanted);
          setPage(1);
        }}
      />
      {shown}
      <Shown loaded={loaded}>
        {(deliveries) => (
          <>
            {deliveries.length ? (
              <DeliveryTable {...{ status, deliveries, isBusy }} sendAgain={(delivery) => void sendAgain(delivery)} />
            ) : (
              <Notice>{page === 1 ? LISTS[status].none : 'There are no more.'}</Notice>
            )}
            <Pages page={page} full={deliveries.length === PAGE} go={setPage} />
          </>
        )}
      </Shown>
    </section>
  );
}

function DeliveryTable({
  status,
  deliveries,
  isBusy,
  sendAgain,
}: {
  status: Status;
  deliveries: readonly Delivery[];
  isBusy: boolean;
  sendAgain: (delivery: Delivery) => void;
}) {
  return (
    <div class="table-frame card" role="region" aria-label={LISTS[status].name} tabIndex={0}>
      <table>
        <thead>
          <tr>
            <th scope="col">Event</th>
            <th scope="col">Last attempt</th>
            <th scope="col" class="number">
              Attempts
            </th>
            <th scope="col">Last result</th>
            {status === 'dead' && (
              <th scope="col">
                <span class="visually-hidden">Action</span>
              </th>
            )}
          </tr>
        </thead>
        <tbody>
          {deliveries.map((delivery) => (
            <tr key={delivery.position}>
              <th scope="row">
                {delivery.type}
                <small class="muted">
                  position {delivery.position}
                  {delivery.screening_id !== null && `, screening ${delivery.screening_id}`}
                </small>
              </th>
              <td>{when(delivery.last_attempt_at)}</td>
              <td class="number">{delivery.attempt_count}</td>
              <td class="long-text">{result(delivery)}</td>
              {status === 'dead' && (
                <td>
                  <button
                    type="button"
                    class="button button-quiet"
                    disabled={isBusy}
                    aria-label={`Send again ${delivery.type}, position ${delivery.position}`}
                    onClick={() => sendAgain(delivery)}
                  >
                    Send again
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

function result({ attempts }: Delivery): string {
  const last = attempts.at(-1);
  if (!last) return '';
  return `${last.error ?? `Status ${last.status}`} (${last.duration_ms} ms)`;
}

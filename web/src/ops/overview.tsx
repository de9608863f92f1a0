// All screenings with live figures, and the servers that serve them.

import { useEffect, useState } from 'preact/hooks';
import { Link } from 'wouter-preact';
import { answered, api } from '../api/client';
import type { components } from '../api/schema';
import { formatDay, formatTime } from '../common/format';
import { Notice, ProblemNotice, Shown, Waiting } from '../common/pieces';
import { AskLogLevel } from './actions';
import { Chart } from './chart';
import { overview, overviewProblem, seriesOf, totalOf, totals, watch, type Figure, type LiveScreening, type LiveServer } from './live';
import { Pages, useReloading } from './lists';
import { formatAge, formatCount, formatRate } from './numbers';

type Operated = components['schemas']['Operated'];

const PAGE = 50;

export function OverviewPage() {
  const live = overview.value;
  useEffect(watch, []);
  return (
    <>
      <div class="row row-apart">
        <h1>Operations</h1>
        <Freshness />
      </div>
      {overviewProblem.value && <ProblemNotice problem={overviewProblem.value} />}
      {live ? <Totals /> : <Waiting />}
      <Screenings />
      {live && <Servers servers={live.servers} />}
    </>
  );
}

/** Says whether the figures are live. */
export function Freshness() {
  const away = overviewProblem.value !== null;
  return (
    <span class={`badge ${away ? 'badge-warn' : 'badge-good'}`} role="status">
      {overview.value === undefined && !away ? 'Connecting…' : away ? 'Reconnecting…' : 'Live'}
    </span>
  );
}

const TILES: readonly { figure: Figure; label: string; colour: string; shown: (value: number) => string }[] = [
  { figure: 'holds_per_second', label: 'Holds per second', colour: '--accent', shown: formatRate },
  { figure: 'held', label: 'Held', colour: '--seat-held', shown: formatCount },
  { figure: 'sold', label: 'Sold', colour: '--seat-sold', shown: formatCount },
  { figure: 'available', label: 'Free', colour: '--seat-free', shown: formatCount },
  { figure: 'queue', label: 'Commands waiting', colour: '--warn', shown: formatCount },
  { figure: 'journal_lag_seconds', label: 'Journal behind', colour: '--warn', shown: formatAge },
  { figure: 'sockets', label: 'Sockets', colour: '--seat-own', shown: formatCount },
];

function Totals() {
  const live = overview.value;
  if (!live) return null;
  const now = totalOf(live);
  return (
    <section class="tiles" aria-label="All screenings in memory">
      {TILES.map(({ figure, label, colour, shown }) => (
        <div class="card tile" key={figure}>
          <span class="muted">{label}</span>
          <strong>{shown(now[figure])}</strong>
          <Chart
            label={`${label}, last five minutes`}
            times={totals.times}
            lines={[{ label, colour, values: totals[figure], filled: true }]}
            height={36}
            spark
          />
        </div>
      ))}
    </section>
  );
}

function Screenings() {
  const [query, setQuery] = useState('');
  const [past, setPast] = useState(false);
  const [page, setPage] = useState(1);
  const loaded = useReloading(
    () =>
      answered(
        api.GET('/api/v1/ops/screenings/', {
          params: { query: { ...(query ? { q: query } : {}), past, page, size: PAGE } },
        }),
      ),
    [query, past, page],
  );

  return (
    <section class="stack" aria-labelledby="screenings">
      <div class="row row-apart">
        <h2 id="screenings">Screenings and events</h2>
        <form class="row search" role="search" onSubmit={(event) => event.preventDefault()}>
          <label class="visually-hidden" for="find-screening">
            Find a screening
          </label>
          <input
            id="find-screening"
            class="input"
            type="search"
            placeholder="Title, place or number"
            value={query}
            onInput={(event) => {
              setQuery(event.currentTarget.value.slice(0, 100));
              setPage(1);
            }}
          />
          <label class="row check">
            <input
              type="checkbox"
              checked={past}
              onChange={(event) => {
                setPast(event.currentTarget.checked);
                setPage(1);
              }}
            />
            Past ones
          </label>
        </form>
      </div>
      <Shown loaded={loaded}>
        {(rows) =>
          rows.length ? (
            <>
              <ScreeningTable rows={rows} />
              <Pages page={page} full={rows.length === PAGE} go={setPage} />
            </>
          ) : (
            <Notice>{query ? `Nothing matches “${query}”.` : past ? 'Nothing is over yet.' : 'Nothing is on sale. Add a screening to begin.'}</Notice>
          )
        }
      </Shown>
    </section>
  );
}

function ScreeningTable({ rows }: { rows: readonly Operated[] }) {
  const live = new Map(overview.value?.screenings.map((screening) => [screening.id, screening]));
  const servers = new Map(overview.value?.servers.map((server) => [server.mark, server.name]));
  return (
    <div class="table-frame card">
      <table class="screenings">
        <thead>
          <tr>
            <th scope="col">Screening</th>
            <th scope="col">Seats</th>
            <th scope="col">Holds per second</th>
            <th scope="col" class="number">Waiting</th>
            <th scope="col" class="number">Sockets</th>
            <th scope="col" class="number">Behind</th>
            <th scope="col">Server</th>
          </tr>
        </thead>
        <tbody>
          {rows.map((row) => (
            <ScreeningRow key={row.id} row={row} live={live.get(row.id)} servers={servers} />
          ))}
        </tbody>
      </table>
    </div>
  );
}

function ScreeningRow({
  row,
  live,
  servers,
}: {
  row: Operated;
  live: LiveScreening | undefined;
  servers: ReadonlyMap<string, string>;
}) {
  const { sold, held, capacity } = live ?? row;
  const series = seriesOf(row.id);
  return (
    <tr>
      <th scope="row">
        <Link href={`/ops/screenings/${row.id}`}>{row.title || `Screening ${row.id}`}</Link>
        {row.cancelled && <span class="badge badge-bad">{row.kind === 'event' ? 'closed' : 'cancelled'}</span>}
        <small class="muted">
          {formatDay(row.starts_at, row.time_zone)}, {formatTime(row.starts_at, row.time_zone)} · {row.place} · {row.id}
        </small>
      </th>
      <td>
        <Share sold={sold} held={held} capacity={capacity} />
      </td>
      {live ? (
        <>
          <td>
            <span class="rate">
              {formatRate(live.holds_per_second)}
              <Chart
                label={`Holds per second of ${row.title}, last five minutes`}
                times={series.times}
                lines={[{ label: 'Holds per second', colour: '--accent', values: series.holds_per_second, filled: true }]}
                height={24}
                spark
              />
            </span>
          </td>
          <td class="number">{formatCount(live.queue)}</td>
          <td class="number">{formatCount(live.sockets)}</td>
          <td class="number">{formatAge(live.journal_lag_seconds)}</td>
          <td>{servers.get(live.server) ?? live.server}</td>
        </>
      ) : (
        <td colSpan={5} class="muted">
          Not in memory: nobody is using it
        </td>
      )}
    </tr>
  );
}

/** How much of a screening is sold, held and free, as a bar and in numbers. */
function Share({ sold, held, capacity }: { sold: number; held: number; capacity: number }) {
  const part = (number: number): number => (capacity ? (100 * number) / capacity : 0);
  return (
    <div class="share">
      <svg viewBox="0 0 100 8" preserveAspectRatio="none" aria-hidden="true">
        <rect width="100" height="8" fill="var(--sunken)" />
        <rect width={part(sold)} height="8" fill="var(--heat-sold-old)" />
        <rect x={part(sold)} width={part(held)} height="8" fill="var(--heat-held-new)" />
      </svg>
      <small>
        {formatCount(sold)} sold, {formatCount(held)} held, {formatCount(capacity - sold - held)} free
      </small>
    </div>
  );
}

const LEVELS = ['debug', 'info', 'warning', 'error'] as const;
type Level = (typeof LEVELS)[number];
const STATE_BADGES: Record<string, string> = { serving: 'badge-good', gone: 'badge-bad', draining: 'badge-warn', joining: 'badge-accent' };

function Servers({ servers }: { servers: readonly LiveServer[] }) {
  const [asked, setAsked] = useState<{ server: LiveServer; level: Level } | null>(null);
  const [said, setSaid] = useState('');
  return (
    <section class="stack" aria-labelledby="servers">
      <h2 id="servers">Servers</h2>
      {said && <Notice tone="good">{said}</Notice>}
      <div class="table-frame card">
        <table>
          <thead>
            <tr>
              <th scope="col">Name</th>
              <th scope="col">State</th>
              <th scope="col" class="number">Screenings</th>
              <th scope="col" class="number">Sockets</th>
              <th scope="col" class="number">Journal</th>
              <th scope="col">Running since</th>
              <th scope="col">Log level</th>
            </tr>
          </thead>
          <tbody>
            {servers.map((server) => (
              <tr key={server.mark}>
                <th scope="row">
                  {server.name}
                  <small class="muted">
                    {server.address} · {server.version} · {server.mark}
                  </small>
                </th>
                <td>
                  <span class={`badge ${STATE_BADGES[server.state] ?? ''}`}>{server.state}</span>
                </td>
                {server.log_level === null ? (
                  <td colSpan={5} class="muted">
                    {server.state === 'gone' ? 'Has ended' : 'Does not answer'}
                  </td>
                ) : (
                  <>
                    <td class="number">{formatCount(server.screenings ?? 0)}</td>
                    <td class="number">{formatCount(server.sockets ?? 0)}</td>
                    <td class="number">
                      {formatCount(server.journal_depth ?? 0)} waiting, {formatAge(server.journal_lag_seconds ?? 0)}
                    </td>
                    <td>
                      {formatDay(server.started_at)}, {formatTime(server.started_at)}
                    </td>
                    <td>
                      <select
                        class="input"
                        aria-label={`Log level of ${server.name}`}
                        value={server.log_level}
                        onChange={(event) => {
                          const level = event.currentTarget.value as Level;
                          // It changes when the server says so.
                          event.currentTarget.value = server.log_level ?? '';
                          setSaid('');
                          setAsked({ server, level });
                        }}
                      >
                        {LEVELS.map((level) => (
                          <option key={level} value={level}>
                            {level}
                          </option>
                        ))}
                      </select>
                    </td>
                  </>
                )}
              </tr>
            ))}
          </tbody>
        </table>
      </div>
      {asked && (
        <AskLogLevel
          mark={asked.server.mark}
          name={asked.server.name}
          level={asked.level}
          close={() => setAsked(null)}
          done={(text) => {
            setSaid(text);
            setAsked(null);
          }}
        />
      )}
    </section>
  );
}

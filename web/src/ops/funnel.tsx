// What sells of a screening: looked, held, lapsed, released and paid, over time and by door.

import { useState } from 'preact/hooks';
import { answered, api } from '../api/client';
import { Problem } from '../api/problem';
import type { components } from '../api/schema';
import { download } from '../common/download';
import { formatPrice } from '../common/format';
import { ProblemNotice, Shown } from '../common/pieces';
import { Chart, Legend } from './chart';
import { useReloading } from './lists';
import { formatAgo, formatCount } from './numbers';

type Figures = components['schemas']['Funnel'];
type Stage = 'looked' | 'held' | 'lapsed' | 'released' | 'paid';

const STAGES: readonly { stage: Stage; colour: string }[] = [
  { stage: 'looked', colour: '--seat-free' },
  { stage: 'held', colour: '--heat-held-new' },
  { stage: 'lapsed', colour: '--ink-soft' },
  { stage: 'released', colour: '--accent' },
  { stage: 'paid', colour: '--heat-sold-old' },
];

/** How many of the held seats were paid, as text. */
export function shareOf(paid: number, held: number): string {
  return held ? `${Math.round((100 * Math.min(paid, held)) / held)} %` : '–';
}

export function FunnelPanel({ screeningId }: { screeningId: number }) {
  const loaded = useReloading(
    async () => {
      const path = { screening_id: screeningId };
      // Without `format=csv` it is never the text of a file.
      return (await answered(api.GET('/api/v1/admin/screenings/{screening_id}/funnel', { params: { path } }))) as Figures;
    },
    [screeningId],
  );
  return (
    <section class="stack" aria-labelledby="funnel">
      <div class="row row-apart">
        <h2 id="funnel">What sells</h2>
        <Csv screeningId={screeningId} />
      </div>
      <Shown loaded={loaded}>{(figures) => <Funnel figures={figures} />}</Shown>
    </section>
  );
}

/** The figures of all periods and doors as a file for spreadsheets. */
function Csv({ screeningId }: { screeningId: number }) {
  const [fetching, setFetching] = useState(false);
  const [problem, setProblem] = useState<Problem | null>(null);
  const save = async (): Promise<void> => {
    setFetching(true);
    setProblem(null);
    try {
      const params = { path: { screening_id: screeningId }, query: { format: 'csv' as const } };
      const call = api.GET('/api/v1/admin/screenings/{screening_id}/funnel', { params, parseAs: 'blob' });
      download(await answered(call), `screening-${screeningId}-sales.csv`);
    } catch (error) {
      if (!(error instanceof Problem)) throw error;
      setProblem(error);
    } finally {
      setFetching(false);
    }
  };
  return (
    <>
      <button type="button" class="button" disabled={fetching} onClick={() => void save()}>
        CSV
      </button>
      {problem && <ProblemNotice problem={problem} />}
    </>
  );
}

function Funnel({ figures }: { figures: Figures }) {
  const { totals, doors, periods, seconds_to_payment: waits } = figures;
  return (
    <div class="card stack">
      <Legend entries={STAGES.map(({ stage, colour }) => ({ label: stage, colour, value: formatCount(totals[stage]) }))} />
      <Chart
        label={`Seats by ${figures.granularity}: ${STAGES.map(({ stage }) => `${totals[stage]} ${stage}`).join(', ')}`}
        times={periods.map((period) => Date.parse(period.begins_at) / 1000)}
        lines={STAGES.filter(({ stage }) => stage !== 'looked').map(({ stage, colour }) => ({
          label: stage,
          colour,
          values: periods.map((period) => period[stage]),
          stepped: true,
        }))}
        height={180}
      />
      {doors.length > 0 && (
        <div class="table-frame" tabIndex={0} role="region" aria-label="By door">
          <table>
            <thead>
              <tr>
                <th scope="col">Door</th>
                {STAGES.map(({ stage }) => (
                  <th key={stage} scope="col">
                    {stage}
                  </th>
                ))}
                <th scope="col">revenue</th>
              </tr>
            </thead>
            <tbody>
              {doors.map((door) => (
                <tr key={door.door}>
                  <th scope="row">{door.door}</th>
                  {STAGES.map(({ stage }) => (
                    <td key={stage}>{formatCount(door[stage])}</td>
                  ))}
                  <td>{formatPrice(door.revenue)}</td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
      <p class="muted">
        {shareOf(totals.paid, totals.held)} of what was held is paid.{' '}
        {waits.median !== null && waits.p90 !== null && (
          <>
            From the hold to the payment: half within {formatAgo(waits.median * 1000)}, 90 % within{' '}
            {formatAgo(waits.p90 * 1000)}.
          </>
        )}
      </p>
    </div>
  );
}

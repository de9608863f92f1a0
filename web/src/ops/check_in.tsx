// The page at /ops/check-in: a scanner that types like a keyboard, or somebody who types the code.

import { useEffect, useRef, useState } from 'preact/hooks';
import { Link } from 'wouter-preact';
import { answered, api } from '../api/client';
import { Problem } from '../api/problem';
import { useLoaded } from '../common/loading';
import { Field, Shown } from '../common/pieces';
import { Choices } from './lists';
import { formatCount } from './numbers';
import { Unanswered } from './unanswered';
import { accepted, refused, type Verdict } from './verdict';
import './ops.css';

const COUNTS_MS = 2000;
const SHOWN_SCANS = 10;
const GATE = 'frontrow.gate';

type Direction = 'in' | 'out';

interface Scan extends Verdict {
  number: number;
  code: string;
  undoable: boolean;
}

/** @param id the screening or event that the gate admits to; null for any */
export function CheckInPage({ id }: { id: number | null }) {
  const [gate, setGate] = useState(() => localStorage.getItem(GATE) ?? 'Main');
  const [direction, setDirection] = useState<Direction>('in');
  const [code, setCode] = useState('');
  const [sound, setSound] = useState(false);
  const [scans, setScans] = useState<readonly Scan[]>([]);
  const counter = useRef(0);
  const unanswered = useRef(new Unanswered('scan'));
  const form = useRef<HTMLFormElement>(null);
  const [last] = scans;

  // A scanner types into the field that has the focus.
  const focus = (): void => form.current?.querySelector<HTMLInputElement>('[name=code]')?.focus();
  useEffect(focus, []);

  const decide = async (scanned: string, call: () => Promise<Verdict>, undoable: boolean): Promise<void> => {
    const number = ++counter.current;
    let verdict: Verdict;
    try {
      verdict = await call();
    } catch (error) {
      if (!(error instanceof Problem)) throw error;
      verdict = refused(error);
    }
    if (sound) beep(verdict.tone);
    const scan = { ...verdict, number, code: scanned, undoable: undoable && verdict.tone === 'good' };
    setScans((known) => [scan, ...known].sort((a, b) => b.number - a.number).slice(0, SHOWN_SCANS));
  };
  const scan = (scanned: string): Promise<void> => {
    const body = { code: scanned, gate: gate.trim(), direction, screening_id: id };
    return decide(
      scanned,
      () =>
        unanswered.current.send(body, async (key) =>
          accepted(await answered(api.POST('/api/v1/check-in', { params: { header: { 'Idempotency-Key': key } }, body }))),
        ),
      true,
    );
  };
  const undo = (scanned: string): Promise<void> =>
    decide(
      scanned,
      async () =>
        accepted(
          await answered(
            api.POST('/api/v1/check-in/undo', { body: { code: scanned, gate: gate.trim(), screening_id: id } }),
          ),
        ),
      false,
    );

  return (
    <>
      <div class="row row-apart">
        <h1>Check-in</h1>
        {id !== null && <Link href={`/ops/screenings/${id}`}>Screening {id}</Link>}
      </div>
      {id === null ? <p class="muted">Tickets of all screenings are admitted here.</p> : <Counts id={id} />}
      <form
        ref={form}
        class="row check-in-form"
        onSubmit={(event) => {
          event.preventDefault();
          const scanned = code.trim();
          setCode('');
          focus();
          if (scanned && gate.trim()) void scan(scanned);
        }}
      >
        <Field
          label="Code"
          name="code"
          value={code}
          maxLength={300}
          autocomplete="off"
          spellcheck={false}
          onInput={(event) => setCode(event.currentTarget.value)}
        />
        <Field
          label="Gate"
          value={gate}
          maxLength={60}
          required
          onInput={(event) => {
            setGate(event.currentTarget.value);
            localStorage.setItem(GATE, event.currentTarget.value);
          }}
        />
        <button type="submit" class="button">
          Check
        </button>
      </form>
      <div
        class={`verdict ${last ? `verdict-${last.tone}` : ''}`}
        role="status"
        aria-live="assertive"
      >
        {last ? (
          <>
            <strong>{last.title}</strong>
            {last.place && <span class="verdict-place">{last.place}</span>}
            <span>{last.text}</span>
          </>
        ) : (
          <strong>Ready</strong>
        )}
      </div>
      <div class="row row-apart">
        <Choices
          label="Direction"
          choices={{ in: 'Coming in', out: 'Going out' }}
          value={direction}
          choose={(chosen) => {
            setDirection(chosen);
            focus();
          }}
        />
        <label class="row check">
          <input type="checkbox" checked={sound} onChange={(event) => setSound(event.currentTarget.checked)} />
          Sound
        </label>
      </div>
      {scans.length > 0 && (
        <section class="stack" aria-label="Last scans">
          <h2>Last scans</h2>
          <ol class="plain-list">
            {scans.map((one) => (
              <li key={one.number} class="row row-apart">
                <span>
                  <span class={`badge badge-${one.tone}`}>{one.title}</span> {[one.place, one.text].filter(Boolean).join(' · ')}
                </span>
                {one.undoable && (
                  <button
                    type="button"
                    class="button button-quiet"
                    aria-label={`Take back: ${one.place || one.title}`}
                    onClick={() => {
                      focus();
                      void undo(one.code);
                    }}
                  >
                    Take back
                  </button>
                )}
              </li>
            ))}
          </ol>
        </section>
      )}
    </>
  );
}

/** How many are in, as all gates together have admitted them. */
function Counts({ id }: { id: number }) {
  const loaded = useLoaded(
    () =>
      answered(
        api.GET('/api/v1/admin/screenings/{screening_id}/check-ins/counts', { params: { path: { screening_id: id } } }),
      ),
    [id],
  );
  const { reload } = loaded;
  useEffect(() => {
    const timer = setInterval(() => {
      if (!document.hidden) reload();
    }, COUNTS_MS);
    return () => clearInterval(timer);
  }, [reload]);
  return (
    <Shown loaded={loaded}>
      {({ expected, admitted, inside, conflicts, gates }) => (
        <p>
          <strong>
            {formatCount(admitted)} of {formatCount(expected)} admitted
          </strong>
          {inside !== admitted && `, ${formatCount(inside)} inside`}
          {conflicts > 0 && `, ${formatCount(conflicts)} scanned twice offline`}
          {gates.length > 1 && <span class="muted"> ({gates.map((one) => `${one.gate} ${one.admitted}`).join(', ')})</span>}
        </p>
      )}
    </Shown>
  );
}

/** A high tone for good, a low and longer one for bad. */
function beep(tone: Verdict['tone']): void {
  const context = new AudioContext();
  const oscillator = context.createOscillator();
  oscillator.frequency.value = tone === 'good' ? 1200 : 220;
  oscillator.connect(context.destination);
  oscillator.onended = () => void context.close();
  oscillator.start();
  oscillator.stop(context.currentTime + (tone === 'good' ? 0.12 : 0.5));
}

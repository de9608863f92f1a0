// What is selected, and its properties.

import { useSignal } from '@preact/signals';
import type { Editor } from './editor';
import { Choice, NumberField, Section, TextField } from './fields';
import { usualFocus, usualScreen } from './geometry';
import { NamingFields } from './naming';
import { USUAL_LABELS, USUAL_NUMBERS } from './numbering';
import { type Area, type Focus, rowsOf, type Seat } from './plan';

export function Properties({ editor, types }: { editor: Editor; types: Record<string, string> }) {
  const seats = editor.selectedSeats.value;
  const areas = editor.selectedAreas.value;
  const count = seats.length + areas.length;
  return (
    <Section title={count > 0 ? `Selected: ${described(seats, areas)}` : 'Selection'} open={count > 0}>
      {count === 0 && <p class="muted">Click on a seat, or drag a frame around several.</p>}
      {seats.length > 0 && <SeatProperties editor={editor} seats={seats} types={types} />}
      {areas.length === 1 && seats.length === 0 && <AreaProperties editor={editor} area={areas[0]!} />}
      {count > 0 && (
        <div class="row">
          {seats.length > 0 && (
            <button type="button" class="button button-quiet" onClick={() => editor.duplicateSelection()}>
              Copy
            </button>
          )}
          <button type="button" class="button button-quiet" onClick={() => editor.deleteSelection()}>
            Delete
          </button>
        </div>
      )}
    </Section>
  );
}

function described(seats: readonly Seat[], areas: readonly Area[]): string {
  const [seat] = seats;
  if (seats.length === 1 && areas.length === 0) return `row ${seat!.row}, seat ${seat!.number}`;
  if (seats.length > 0) return seats.length === 1 ? 'one seat' : `${seats.length} seats`;
  return areas.length === 1 ? areas[0]!.kind : `${areas.length} areas`;
}

function common<Value>(values: readonly Value[]): Value | '' {
  return values.every((value) => value === values[0]) ? values[0]! : '';
}

function SeatProperties({ editor, seats, types }: { editor: Editor; seats: readonly Seat[]; types: Record<string, string> }) {
  const labels = useSignal(USUAL_LABELS);
  const numbers = useSignal(USUAL_NUMBERS);
  const depth = useSignal(1);
  const rows = [...new Set(seats.map(({ row }) => row))];
  const only = seats.length === 1 ? seats[0] : undefined;
  return (
    <>
      <Choice label="Seat type" value={common(seats.map(({ type }) => type))} options={types} set={(type) => editor.changeSeats({ type })} />
      <div class="editor-pair">
        <TextField
          label="Row"
          value={common(rows)}
          maxLength={4}
          {...(rows.length > 1 ? { placeholder: 'various' } : {})}
          set={(row) => row.trim() && editor.changeSeats({ row: row.trim() })}
        />
        {only && <NumberField label="Number" value={only.number} min={1} max={9999} set={(number) => editor.changeSeats({ number })} />}
      </div>
      {only && (
        <div class="editor-pair">
          <NumberField label="From the left" value={only.x} step="any" max={10_000} set={(x) => editor.changeSeats({ x })} />
          <NumberField label="From the front" value={only.y} step="any" max={10_000} set={(y) => editor.changeSeats({ y })} />
        </div>
      )}
      {!only && (
        <>
          <details class="editor-more">
            <summary>Name and number anew</summary>
            <div class="stack editor-section-content">
              <NamingFields
                labels={labels.value}
                numbers={numbers.value}
                set={(newLabels, newNumbers) => {
                  labels.value = newLabels;
                  numbers.value = newNumbers;
                }}
              />
              <button type="button" class="button button-quiet" onClick={() => editor.renameSelection(labels.value, numbers.value)}>
                Number {seats.length === 1 ? 'one seat' : `${seats.length} seats`}
              </button>
            </div>
          </details>
          <details class="editor-more">
            <summary>Curve</summary>
            <div class="stack editor-section-content">
              <NumberField
                label="Move the ends back by rows"
                value={depth.value}
                min={-20}
                max={20}
                step="any"
                set={(value) => (depth.value = value)}
              />
              <button type="button" class="button button-quiet" onClick={() => editor.bendSelection(depth.value)}>
                Curve the rows
              </button>
            </div>
          </details>
        </>
      )}
    </>
  );
}

function AreaProperties({ editor, area }: { editor: Editor; area: Area }) {
  const set = (part: Partial<Area>) => editor.changeArea(area.key, part);
  return (
    <>
      {area.kind === 'section' && <TextField label="Name" value={area.name} maxLength={40} set={(name) => set({ name })} />}
      <div class="editor-pair">
        <NumberField label="From the left" value={area.x} step="any" max={10_000} set={(x) => set({ x })} />
        <NumberField label="From the front" value={area.y} step="any" max={10_000} set={(y) => set({ y })} />
        <NumberField label="Width" value={area.width} step="any" max={10_000} set={(width) => set({ width })} />
        <NumberField label="Depth" value={area.height} step="any" max={10_000} set={(height) => set({ height })} />
      </div>
    </>
  );
}

export function ScreenProperties({ editor }: { editor: Editor }) {
  const { screen, seats } = editor.plan.value;
  const set = (part: object) => screen && editor.changeScreen({ ...screen, ...part });
  return (
    <Section title="Screen">
      {screen ? (
        <>
          <div class="editor-pair">
            <NumberField label="From the left" value={screen.x} step="any" max={10_000} set={(x) => set({ x })} />
            <NumberField label="From the front" value={screen.y} step="any" max={10_000} set={(y) => set({ y })} />
          </div>
          <NumberField label="Width" value={screen.width} step="any" max={10_000} set={(width) => set({ width })} />
          <div class="row">
            <button type="button" class="button button-quiet" onClick={() => editor.changeScreen(usualScreen(seats) ?? screen)}>
              Centre
            </button>
            <button type="button" class="button button-quiet" onClick={() => editor.changeScreen(null)}>
              Remove
            </button>
          </div>
        </>
      ) : (
        <button
          type="button"
          class="button button-quiet"
          onClick={() => editor.changeScreen(usualScreen(seats) ?? { x: 1, y: 0, width: 10 })}
        >
          Add a screen
        </button>
      )}
    </Section>
  );
}

/** Which seats are given to those who ask for the best. */
export function FocusProperties({ editor }: { editor: Editor }) {
  const { focus, seats } = editor.plan.value;
  const set = (part: Partial<Focus>) => focus && editor.changeFocus({ ...focus, ...part });
  const labels = (words: string) => [...new Set(words.split(/[\s,]+/).filter(Boolean))];
  return (
    <Section title="Best seats">
      {focus ? (
        <>
          <div class="editor-pair">
            <NumberField label="From the left" value={focus.x} step="any" max={10_000} set={(x) => set({ x })} />
            <NumberField label="From the front" value={focus.y} step="any" max={10_000} set={(y) => set({ y })} />
          </div>
          <TextField
            label="Preferred rows"
            value={focus.rows.join(', ')}
            placeholder="all alike"
            set={(words) => set({ rows: labels(words) })}
          />
          <button type="button" class="button button-quiet" onClick={() => editor.changeFocus(null)}>
            Use the middle of the room
          </button>
        </>
      ) : (
        <button type="button" class="button button-quiet" onClick={() => editor.changeFocus(usualFocus(seats))}>
          Choose the best place
        </button>
      )}
    </Section>
  );
}

/** All rows as text, so that they can be found and selected without the drawing. */
export function Rows({ editor }: { editor: Editor }) {
  const rows = [...rowsOf(editor.plan.value.seats)];
  return (
    <Section title={`Rows: ${rows.length}`}>
      {rows.length === 0 ? (
        <p class="muted">There are no rows yet.</p>
      ) : (
        <ul class="editor-list">
          {rows.map(([label, seats]) => (
            <li key={label}>
              <button type="button" onClick={() => editor.show(seats.map(({ key }) => key))}>
                <strong>Row {label}</strong>
                <span class="muted">{seats.length === 1 ? 'one seat' : `${seats.length} seats`}</span>
              </button>
            </li>
          ))}
        </ul>
      )}
    </Section>
  );
}

const FAULTS_SHOWN = 100;

/** What is wrong with the plan; each fault leads to its seats. */
export function Faults({ editor }: { editor: Editor }) {
  const faults = editor.faults.value;
  return (
    <section class="editor-faults" aria-label="Check">
      <p role="status" class={faults.length > 0 ? 'badge badge-bad' : 'badge badge-good'}>
        {faults.length === 0 ? 'No faults' : faults.length === 1 ? '1 fault' : `${faults.length} faults`}
      </p>
      {faults.length > 0 && (
        <ul class="editor-list">
          {faults.slice(0, FAULTS_SHOWN).map(({ message, keys }) => (
            <li key={message + keys.join()}>
              <button type="button" onClick={() => editor.show(keys)}>
                {message}
              </button>
            </li>
          ))}
        </ul>
      )}
      {faults.length > FAULTS_SHOWN && <p class="muted">… and {faults.length - FAULTS_SHOWN} more.</p>}
    </section>
  );
}

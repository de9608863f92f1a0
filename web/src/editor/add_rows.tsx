// The form that draws a block of rows; the same values are used for blocks that are drawn with the pointer.

import { type Signal, useComputed } from '@preact/signals';
import { ProblemText } from './problem_text';
import { Choice, NumberField, Section, TextField } from './fields';
import type { Editor } from './editor';
import { type Block, placeForBlock } from './geometry';
import { NamingFields } from './naming';
import { labelsAfter } from './numbering';
import { SEATS_LIMIT } from './plan';

export interface BlockForm extends Omit<Block, 'x' | 'y' | 'aislesAfter'> {
  /** As typed, e.g. "10, 30". */
  aisles: string;
}

/** The numbers in a text like "10, 30". */
export function aislesIn(text: string): number[] {
  return (text.match(/\d+/g) ?? []).map(Number);
}

export function AddRows({ editor, form, types }: { editor: Editor; form: Signal<BlockForm>; types: Record<string, string> }) {
  const { rows, seatsPerRow, aisles, ...shape } = form.value;
  const set = (part: Partial<BlockForm>) => (form.value = { ...form.value, ...part });
  const total = rows * seatsPerRow;
  const room = useComputed(() => SEATS_LIMIT - editor.plan.value.seats.length);
  const isTooMuch = total > room.value;

  const add = (event: Event) => {
    event.preventDefault();
    if (isTooMuch) return;
    const plan = editor.plan.value;
    // Rows that are added below others go on with their names.
    const labels = labelsAfter(plan.seats.map(({ row }) => row), shape.labels);
    editor.addBlock({ ...shape, labels, rows, seatsPerRow, aislesAfter: aislesIn(aisles), ...placeForBlock(plan) });
    editor.showAll();
  };

  return (
    <Section title="Add rows" open>
      <form class="stack" onSubmit={add}>
        <div class="editor-pair">
          <NumberField label="Rows" value={rows} min={1} max={200} set={(value) => set({ rows: Math.round(value) })} />
          <NumberField
            label="Seats per row"
            value={seatsPerRow}
            min={1}
            max={500}
            set={(value) => set({ seatsPerRow: Math.round(value) })}
          />
        </div>
        <div class="editor-pair">
          <TextField label="Aisles after seats" value={aisles} placeholder="e.g. 10, 30" set={(value) => set({ aisles: value })} />
          <Choice label="Seat type" value={shape.type} options={types} set={(type) => set({ type })} />
        </div>
        <details class="editor-more">
          <summary>Spacing, curve and names</summary>
          <div class="stack editor-section-content">
            <div class="editor-pair">
              <NumberField
                label="From seat to seat"
                value={shape.seatSpacing}
                min={0.5}
                max={10}
                step="any"
                set={(seatSpacing) => set({ seatSpacing })}
              />
              <NumberField
                label="From row to row"
                value={shape.rowSpacing}
                min={0.75}
                max={10}
                step="any"
                set={(rowSpacing) => set({ rowSpacing })}
              />
            </div>
            <NumberField
              label="Curve: rows between middle and ends"
              value={shape.curve}
              min={-20}
              max={20}
              step="any"
              set={(curve) => set({ curve })}
            />
            <NamingFields
              labels={shape.labels}
              numbers={shape.numbers}
              set={(labels, numbers) => set({ labels, numbers })}
            />
          </div>
        </details>
        <button type="submit" class="button">
          Add {total === 1 ? 'one seat' : `${total} seats`}
        </button>
        {isTooMuch && <ProblemText>There is room for {room.value} more seats.</ProblemText>}
        <p class="muted editor-hint">Or choose the tool “Rows” and drag over the drawing.</p>
      </form>
    </Section>
  );
}

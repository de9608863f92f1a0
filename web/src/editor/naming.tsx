// How rows are called and seats are numbered.

import { Check, Choice, NumberField, TextField } from './fields';
import type { RowLabels, SeatNumbers } from './numbering';

const ORDERS = { front: 'at the front', back: 'at the back' } as const;
const SIDES = { left: 'from the left', right: 'from the right' } as const;
const WHICH = { all: '1, 2, 3, …', odd: 'odd: 1, 3, 5, …', even: 'even: 2, 4, 6, …' } as const;

export function NamingFields({
  labels,
  numbers,
  set,
}: {
  labels: RowLabels;
  numbers: SeatNumbers;
  set: (labels: RowLabels, numbers: SeatNumbers) => void;
}) {
  return (
    <>
      <div class="editor-pair">
        <TextField
          label="First row (A or 1)"
          value={labels.first}
          maxLength={3}
          set={(first) => set({ ...labels, first: first.trim() || 'A' }, numbers)}
        />
        <Choice
          label="First row is"
          value={labels.fromBack ? 'back' : 'front'}
          options={ORDERS}
          set={(end) => set({ ...labels, fromBack: end === 'back' }, numbers)}
        />
      </div>
      <Check
        label="Leave out the letters I and O"
        value={labels.skipConfusing}
        set={(skipConfusing) => set({ ...labels, skipConfusing }, numbers)}
      />
      <div class="editor-pair">
        <Choice label="Numbers" value={numbers.which} options={WHICH} set={(which) => set(labels, { ...numbers, which })} />
        <Choice label="Counted" value={numbers.from} options={SIDES} set={(from) => set(labels, { ...numbers, from })} />
      </div>
      <NumberField
        label="First number"
        value={numbers.first}
        min={1}
        max={9999}
        set={(first) => set(labels, { ...numbers, first: Math.max(1, Math.round(first)) })}
      />
    </>
  );
}

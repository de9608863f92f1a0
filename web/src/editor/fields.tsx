// Form fields of the editor's panels: they tell a value once it is complete, so that typing is one step to undo.

import type { ComponentChildren } from 'preact';
import { useId } from 'preact/hooks';

/** A number; an empty or unreadable one is not told. */
export function NumberField({
  label,
  value,
  set,
  min = 0,
  max,
  step = 1,
}: {
  label: string;
  value: number | '';
  set: (value: number) => void;
  min?: number;
  max?: number;
  step?: number | 'any';
}) {
  const id = useId();
  return (
    <div class="field">
      <label for={id}>{label}</label>
      <input
        id={id}
        type="number"
        value={value}
        min={min}
        max={max}
        step={step}
        placeholder={value === '' ? 'various' : undefined}
        onChange={({ currentTarget: { value: text } }) => {
          if (text !== '' && Number.isFinite(Number(text))) set(Number(text));
        }}
      />
    </div>
  );
}

export function TextField({
  label,
  value,
  set,
  maxLength,
  placeholder,
}: {
  label: string;
  value: string;
  set: (value: string) => void;
  maxLength?: number;
  placeholder?: string;
}) {
  const id = useId();
  return (
    <div class="field">
      <label for={id}>{label}</label>
      <input
        id={id}
        type="text"
        value={value}
        maxLength={maxLength}
        placeholder={placeholder}
        autocomplete="off"
        onChange={({ currentTarget }) => set(currentTarget.value)}
      />
    </div>
  );
}

export function Choice<Value extends string>({
  label,
  value,
  options,
  set,
}: {
  label: string;
  value: Value | '';
  options: Readonly<Record<Value, string>>;
  set: (value: Value) => void;
}) {
  const id = useId();
  return (
    <div class="field">
      <label for={id}>{label}</label>
      <select id={id} value={value} onChange={({ currentTarget }) => set(currentTarget.value as Value)}>
        {value === '' && <option value="">various</option>}
        {(Object.entries(options) as [Value, string][]).map(([name, words]) => (
          <option key={name} value={name}>
            {words}
          </option>
        ))}
      </select>
    </div>
  );
}

export function Check({ label, value, set }: { label: string; value: boolean; set: (value: boolean) => void }) {
  return (
    <label class="editor-check">
      <input type="checkbox" checked={value} onChange={({ currentTarget }) => set(currentTarget.checked)} />
      {label}
    </label>
  );
}

/** A part of the panel that can be folded. */
export function Section({ title, open = false, children }: { title: string; open?: boolean; children: ComponentChildren }) {
  return (
    <details class="editor-section" open={open}>
      <summary>
        <h2>{title}</h2>
      </summary>
      <div class="stack editor-section-content">{children}</div>
    </details>
  );
}

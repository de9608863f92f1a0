import { beforeEach, expect, test } from 'vitest';
import { Editor } from '../../src/editor/editor';
import { begun, changed, redone, STEPS_LIMIT, undone } from '../../src/editor/history';
import { USUAL_LABELS, USUAL_NUMBERS } from '../../src/editor/numbering';
import { EMPTY } from '../../src/editor/plan';

const BLOCK = {
  x: 1, y: 2, rows: 2, seatsPerRow: 3, seatSpacing: 1, rowSpacing: 1, aislesAfter: [], curve: 0, type: 'standard',
  labels: USUAL_LABELS, numbers: USUAL_NUMBERS,
};
let editor: Editor;

beforeEach(() => {
  editor = new Editor();
  editor.open(EMPTY);
});

test('history goes back and forth, and a change ends what was undone', () => {
  let history = begun(1);
  for (const step of [2, 3, 3, 4]) history = changed(history, step);
  history = undone(undone(history));
  expect([history.past, history.present, history.future]).toEqual([[1], 2, [3, 4]]);
  expect(redone(history).present).toBe(3);
  history = changed(history, 9);
  expect(redone(history)).toEqual(history);
  expect(undone(undone(undone(history))).present).toBe(1);
  for (let step = 0; step < STEPS_LIMIT + 5; step++) history = changed(history, step);
  expect(history.past).toHaveLength(STEPS_LIMIT);
});

test('every step is undone and done again', () => {
  const states = [editor.plan.value];
  const step = (action: () => void) => {
    action();
    states.push(editor.plan.value);
  };
  step(() => editor.addBlock(BLOCK));
  step(() => editor.moveSelection(2, 1));
  step(() => editor.changeSeats({ type: 'vip' }));
  step(() => editor.renameSelection({ ...USUAL_LABELS, first: '7' }, { ...USUAL_NUMBERS, which: 'even' }));
  step(() => editor.bendSelection(1));
  step(() => editor.duplicateSelection());
  step(() => editor.addArea('section', { left: -1, top: 0, right: 4, bottom: 3 }));
  step(() => editor.changeScreen(null));
  step(() => editor.selectAll());
  states.pop();
  step(() => editor.deleteSelection());
  expect(editor.plan.value.seats).toEqual([]);
  for (const state of states.slice(0, -1).reverse()) {
    editor.undo();
    expect(editor.plan.value).toBe(state);
  }
  expect([editor.canUndo.value, editor.isChanged.value]).toEqual([false, false]);
  for (const state of states.slice(1)) {
    editor.redo();
    expect(editor.plan.value).toBe(state);
  }
  expect(editor.canRedo.value).toBe(false);
});

test('what is undone is not selected any more', () => {
  editor.addBlock(BLOCK);
  expect(editor.selection.value.size).toBe(6);
  editor.undo();
  expect(editor.selection.value.size).toBe(0);
});

test('what was copied can be pasted again and again', () => {
  editor.addBlock(BLOCK);
  editor.copy();
  editor.paste();
  editor.paste();
  expect(editor.plan.value.seats).toHaveLength(18);
  expect(editor.plan.value.screen).not.toBeNull();
  expect(new Set(editor.plan.value.seats.map(({ row }) => row)).size).toBe(6);
});

test('a fault shows its seats', () => {
  editor.size.value = { width: 800, height: 600 };
  editor.addBlock(BLOCK);
  editor.changeSeats({ row: 'A' });
  const [fault] = editor.faults.value;
  expect(fault!.message).toBe('Row A, seat 1 is there twice.');
  editor.show(fault!.keys);
  expect([...editor.selection.value]).toEqual(fault!.keys);
  expect(editor.faulty.value.size).toBe(6);
});

test('it knows whether there is something to publish', () => {
  editor.addBlock(BLOCK);
  expect(editor.isChanged.value).toBe(true);
  editor.published(editor.plan.value);
  expect(editor.isChanged.value).toBe(false);
  editor.undo();
  expect(editor.isChanged.value).toBe(true);
});

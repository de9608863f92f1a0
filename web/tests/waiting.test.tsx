import { beforeEach, describe, expect, test, vi } from 'vitest';
import { waitable } from '../src/boxoffice/waiting';
import { ENGLISH } from '../src/seats/texts';
import { WaitingPanel, type WaitingEntry } from '../src/seats/waiting_panel';

const ENTRY: WaitingEntry = { id: 7, screening_id: 1, seat_id: null, quantity: 2, together: true, status: 'waiting', position: 3 };

describe('the panel of the component', () => {
  const actions = { join: vi.fn(), leave: vi.fn() };
  let panel: WaitingPanel;

  beforeEach(() => {
    vi.resetAllMocks();
    panel = new WaitingPanel(ENGLISH, actions);
  });

  const button = (text: string): HTMLButtonElement =>
    [...panel.panel.querySelectorAll('button')].find((one) => one.textContent === text)!;

  test('shows itself only while little is free, or somebody waits', () => {
    panel.show(null, false);
    expect(panel.panel.hidden).toBe(true);
    panel.show(null, true);
    expect([panel.panel.hidden, button(ENGLISH.waiting_join).closest('form')!.hidden]).toEqual([false, false]);
    panel.show(ENTRY, false);
    expect([panel.panel.hidden, button(ENGLISH.waiting_join).closest('form')!.hidden]).toEqual([false, true]);
  });

  test('joins with what was chosen, and leaves', () => {
    panel.show(null, true);
    panel.panel.querySelector('select')!.value = '3';
    panel.panel.querySelector<HTMLInputElement>('input')!.checked = true;
    panel.panel.querySelector('form')!.dispatchEvent(new Event('submit', { cancelable: true }));
    expect(actions.join).toHaveBeenCalledWith(3, true);
    panel.show(ENTRY, true);
    button(ENGLISH.waiting_leave).click();
    expect(actions.leave).toHaveBeenCalledWith(7);
  });

  test('one seat is never together', () => {
    panel.show(null, true);
    panel.panel.querySelector<HTMLInputElement>('input')!.checked = true;
    panel.panel.querySelector('form')!.dispatchEvent(new Event('submit', { cancelable: true }));
    expect(actions.join).toHaveBeenCalledWith(1, false);
  });

  test('says the position, and that it is the turn', () => {
    panel.show(ENTRY, true);
    expect(panel.panel.textContent).toContain('You are number 3 in line, for 2.');
    panel.show({ ...ENTRY, status: 'offered', position: null }, true);
    expect(panel.panel.textContent).toContain(ENGLISH.waiting_turn);
  });
});

test('one can wait for tickets that are on sale and all taken', () => {
  const kind = (id: string, onSale: boolean, available: number) => ({ id, onSale, available }) as Parameters<typeof waitable>[0][number];
  const kinds = [kind('1', true, 0), kind('2', true, 4), kind('3', false, 0)];
  expect(waitable(kinds).map(({ id }) => id)).toEqual(['1']);
});

import { expect, test } from 'vitest';
import { Problem } from '../src/api/problem';
import { faultsOf } from '../src/boxoffice/people';

function refused(errors: Record<string, string[]>, paths?: Record<string, string[]>): Problem {
  return new Problem(400, 'invalid_input', 'Invalid input', false, errors, paths ? { paths } : {});
}

test('faults are those of the fields of the form, in the order in which the holders were sent', () => {
  const problem = refused(
    { buyerInfo: ['Bad.'], ticketHolders: ['Bad.'] },
    { 'buyerInfo.whatsapp': ['Bad phone.'], 'ticketHolders.1.email': ['Bad address.'], 'ticketHolders.0.fullName': ['No name.'] },
  );
  expect(faultsOf(problem, ['buyer', '5-1'])).toEqual({
    fields: { 'buyer.whatsapp': ['Bad phone.'], '5-1.email': ['Bad address.'], 'buyer.fullName': ['No name.'] },
    elsewhere: [],
  });
});

test('what belongs to no field is told without names of the API', () => {
  expect(faultsOf(refused({ fullName: ['Too long.'] }), [])).toEqual({ fields: { 'buyer.fullName': ['Too long.'] }, elsewhere: [] });
  expect(faultsOf(refused({ ticketHolders: ['Name one person for each.'] }), ['buyer'])).toEqual({
    fields: {},
    elsewhere: ['Name one person for each.'],
  });
});

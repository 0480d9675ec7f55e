import { describe, expect, it } from 'vitest';
import { specificationOf } from '../../spec/decider-specification.ts';
import { accountDecider, type AccountCommand } from './decider.ts';
import type { AccountFacts } from './events.ts';

const given = specificationOf(accountDecider);
const facts: AccountFacts = { name: 'Main', credential: 'main', regions: [], quotas: {}, source: 'api' };
const changed: AccountFacts = { ...facts, credential: 'newer', endpoint: 'eci.aliyuncs.com' };
const observe = (now: AccountFacts): AccountCommand => ({ type: 'Observe', facts: now });
const reason = 'the key was old';

describe('an account', () => {
  it('is added once, and why is kept', () => {
    const add: AccountCommand = { type: 'Add', facts, reason };
    const added = { type: 'AccountAdded', data: { ...facts, reason } } as const;
    expect(given().when(add).then(added).after).toEqual({ version: 1, facts });
    given(added).when(add).refused('Added');
  });

  it('is changed, and the same change again is nothing', () => {
    const added = { type: 'AccountAdded', data: facts } as const;
    const change: AccountCommand = { type: 'Change', facts: changed, reason };
    const done = { type: 'AccountChanged', data: { ...changed, reason } } as const;
    given(added).when(change).then(done);
    given(added, done).when(change).thenNothing();
    given().when(change).refused('NoSuchAccount');
  });

  it('that was there before is imported once, and what another release changed is told', () => {
    const imported = { type: 'AccountImported', data: facts } as const;
    const elsewhere = { type: 'AccountChangedElsewhere', data: changed } as const;
    given().when(observe(facts)).then(imported);
    given(imported).when(observe(facts)).thenNothing();
    given(imported).when(observe(changed)).then(elsewhere);
    given(imported, elsewhere).when(observe(changed)).thenNothing();
  });

  it('is decided on also where a newer release has told of it', () => {
    const future = { type: 'Unknown', was: 'AccountClosed' } as const;
    given({ type: 'AccountImported', data: facts }, future)
      .when({ type: 'Change', facts: changed })
      .then({ type: 'AccountChanged', data: changed });
  });
});

import { describe, expect, it } from 'vitest';
import type { Denial } from '../../../src/model/decision.ts';
import { deny } from '../../../src/model/decision.ts';
import { DENIAL_REASONS } from '../../../src/model/denials.ts';
import { DenialLog } from '../../../src/telemetry/denial-log.ts';
import { subjectOf } from '../cache/memory-store.ts';
import { handClock, keptLog, reportOf, ruleOf } from './fixtures.ts';

function setUp(linesPerSecondMax = 3) {
  const { log, lines } = keptLog();
  const { clock, advance } = handClock();
  const suppressed: string[] = [];
  const onSuppressed = (reason: string) => suppressed.push(reason);
  const denials = new DenialLog({ log, linesPerSecondMax, clock, onSuppressed });
  const record = (denial: Denial, times = 1) => {
    for (let n = 0; n < times; n += 1) denials.record(denial, reportOf(denial));
  };
  return { denials, record, lines, advance, suppressed };
}

describe('the line of a denial', () => {
  it('tells what happened, to whom and where', () => {
    const { denials, lines } = setUp();
    const denial = deny('scope_missing', { rule: ruleOf('scans-read') });

    denials.record(denial, reportOf(denial, { path: '/v1/scans?api_key=hunter2' }));

    expect(lines).toEqual([
      {
        level: 'info',
        message: 'request denied',
        fields: {
          decision_id: 'd-1',
          reason: 'scope_missing',
          status: 403,
          rule: 'scans-read',
          method: 'GET',
          host: 'api.example.com',
          path: '/v1/scans',
          client_address: '192.0.2.1',
          duration_ms: 0.04,
        },
      },
    ]);
  });

  it('names whose key it was, and which limit was in the way', () => {
    const { record, lines } = setUp();
    const limit = {
      ...({
        id: 'developer/minute',
        name: 'minute',
        quota: 5,
        windowMs: 60_000,
        burst: 5,
      } as const),
      ...({ algorithm: 'gcra', per: 'key' } as const),
    };
    const report = { limit, remaining: 0, resetMs: 60_000, retryAfterMs: 12_000 };
    const roomy = { ...report, limit: { ...limit, id: 'developer/day' }, retryAfterMs: 0 };
    record(
      deny('limit_exceeded', {
        ...{ rule: ruleOf('scans-read'), subject: subjectOf('4fJ2kQ9xZb') },
        reports: [roomy, report],
      }),
    );

    expect(lines[0]?.fields).toMatchObject({
      reason: 'limit_exceeded',
      status: 429,
      key_id: '4fJ2kQ9xZb',
      organization: 'acme',
      limit: 'developer/minute',
    });
  });

  it('tells the true reason of a hidden route beside the status that the client saw', () => {
    const { record, lines } = setUp();
    record(deny('key_revoked', { rule: ruleOf('private'), hidden: true }));

    expect(lines[0]?.fields).toMatchObject({ reason: 'key_revoked', status: 404, hidden: true });
  });

  it('shows of every text that the client chose only what a log may', () => {
    const { denials, lines } = setUp();
    const secret = `lk_live_${'s'.repeat(46)}`;
    const denial = deny('path_malformed');

    denials.record(denial, reportOf(denial, { method: secret, host: secret, path: `/${secret}` }));

    expect(JSON.stringify(lines)).not.toContain('sss');
  });

  it.each([
    ['key_unknown', 'info'],
    ['limit_exceeded', 'info'],
    ['store_unavailable', 'warn'],
    ['lookups_overloaded', 'warn'],
    ['internal_error', 'error'],
  ] as const)('of %s is of level %s', (reason, level) => {
    const { record, lines } = setUp();
    record(deny(reason));
    expect(lines[0]?.level).toBe(level);
  });

  it('is written for every reason there is', () => {
    const { record, lines } = setUp();
    for (const reason of DENIAL_REASONS) record(deny(reason));
    expect(lines.map((line) => line.fields['reason'])).toEqual(DENIAL_REASONS);
  });
});

describe('a flood of denials', () => {
  it('writes so many lines a second and then how many more there were', () => {
    const { record, lines, advance, suppressed } = setUp(3);
    record(deny('key_unknown'), 100);
    advance(999);
    record(deny('key_unknown'), 1);
    expect(lines).toHaveLength(3);
    expect(suppressed).toHaveLength(98);

    advance(1);
    record(deny('key_unknown'), 1);

    expect(lines.slice(3)).toMatchObject([
      {
        message: 'more requests denied',
        fields: { reason: 'key_unknown', written: 3, suppressed: 98 },
      },
      { message: 'request denied' },
    ]);
  });

  it('does not silence another reason', () => {
    const { record, lines } = setUp(3);
    record(deny('key_unknown'), 100);
    record(deny('store_unavailable'), 1);

    expect(lines.at(-1)?.fields['reason']).toBe('store_unavailable');
  });

  it('is told of after it has ended, without another denial, and only once', () => {
    const { denials, record, lines, advance } = setUp(3);
    record(deny('key_unknown'), 5);
    denials.flush();
    expect(lines).toHaveLength(3);

    advance(1000);
    denials.flush();
    denials.flush();

    expect(lines).toHaveLength(4);
    expect(lines[3]?.fields).toMatchObject({ suppressed: 2 });
  });

  it('leaves no line for each when none are wanted, but still their number', () => {
    const { denials, record, lines, advance } = setUp(0);
    record(deny('key_unknown'), 5);
    advance(1000);
    denials.flush();

    expect(lines).toMatchObject([{ fields: { written: 0, suppressed: 5 } }]);
  });
});

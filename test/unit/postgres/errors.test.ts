import { describe, expect, it } from 'vitest';
import { StoreUnavailableError } from '../../../src/model/change.ts';
import { StoreFaultError, storeError } from '../../../src/postgres/errors.ts';

const failure = (code: string, more: object = {}) =>
  Object.assign(new Error(`said ${code}`), { code, ...more });

describe('an outage is told from a refusal', () => {
  it.each([
    'ECONNREFUSED',
    'ECONNRESET',
    'ETIMEDOUT',
    'EPIPE',
    'ENOTFOUND',
    'EAI_AGAIN',
    'EHOSTUNREACH',
    'ENOENT',
    'CERT_HAS_EXPIRED',
    'DEPTH_ZERO_SELF_SIGNED_CERT',
    'ERR_TLS_CERT_ALTNAME_INVALID',
    '08006',
    '08P01',
    '28P01',
    '28000',
    '3D000',
    '40001',
    '40P01',
    '53100',
    '53300',
    '55P03',
    '57014',
    '57P01',
    '57P02',
    '57P03',
    '58030',
    'XX000',
    '25006',
  ])('%s is an outage, with its cause', (code) => {
    const cause = failure(code);
    const error = storeError(cause);
    expect(error).toBeInstanceOf(StoreUnavailableError);
    expect(error.cause).toBe(cause);
  });

  it.each(['42P01', '42501', '42601', '22021', '22P02', '23505', '23514', '25P02', 'P0001'])(
    '%s is a refusal, and quotes no row',
    (code) => {
      const error = storeError(
        failure(code, { constraint: 'a_key', detail: 'Key (digest)=(\\x00ff) already exists.' }),
      );
      expect(error).toBeInstanceOf(StoreFaultError);
      expect(error).toMatchObject({ sqlState: code, constraint: 'a_key' });
      expect(
        JSON.stringify({ ...error, message: error.message, cause: error.cause }),
      ).not.toContain('00ff');
    },
  );

  it('a lost connection without any code is an outage', () => {
    expect(storeError(new Error('Connection terminated unexpectedly'))).toBeInstanceOf(
      StoreUnavailableError,
    );
    const both = new AggregateError([new Error('first'), new Error('second')], '');
    expect(storeError(both).message).toContain('first; second');
  });

  it('a bug of our own stays what it is', () => {
    const bug = new TypeError('undefined is not a function');
    expect(storeError(bug)).toBe(bug);
  });
});

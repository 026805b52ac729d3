import { describe, expect, it } from 'vitest';
import { clientText } from '../../../src/telemetry/client-text.ts';

const KEY = 'lk_live_0123456789abcdefghijklmnopqrstuvwxyz0123456789';

describe('clientText', () => {
  it.each([
    ['/v1/scans/7', '/v1/scans/7'],
    ['/v1/scans?api_key=hunter2', '/v1/scans'],
    ['/v1/scans#hunter2', '/v1/scans'],
    ['/v1?a?b#c', '/v1'],
    ['/o/3f2b8c1e-7d44-4a53-9a51-0c4d6f1f2a77/x', '/o/3f2b8c1e-7d44-4a53-9a51-0c4d6f1f2a77/x'],
    [`/v1/${KEY}/x`, '/v1/lk_live_[54 characters]/x'],
    [`/v1/${KEY};${KEY}`, '/v1/lk_live_[54 characters];lk_live_[54 characters]'],
    [`${KEY}.example.com`, 'lk_live_[66 characters]'],
    [`/${encodeURIComponent('?')}api_key=${KEY}`, '/%3Fapi_k[65 characters]'],
    ['', ''],
  ])('shows %j as %j', (text, shown) => {
    expect(clientText(text)).toBe(shown);
  });

  it('never shows much of a key, wherever the text is cut', () => {
    for (let before = 0; before < 1200; before += 1) {
      const text = `${'/x'.repeat(before / 2)}${before % 2 === 0 ? '' : '/'}/${KEY}/${'y/'.repeat(500)}`;
      expect(clientText(text)).not.toContain(KEY.slice(0, 12));
    }
  });

  it('never shows a part of a key that the cut made too short to be recognised', () => {
    for (let before = 900; before < 1100; before += 1) {
      expect(clientText(`/${'a'.repeat(before)}/${KEY}`)).not.toContain(KEY.slice(0, 12));
    }
  });

  it('shows so much and no more of a long text', () => {
    expect(clientText('/a'.repeat(30_000))).toBe(`${'/a'.repeat(128)}...`);
    expect(clientText('a'.repeat(60_000)).length).toBeLessThan(30);
  });
});

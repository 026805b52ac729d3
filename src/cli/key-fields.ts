import type { KeyRecord } from '../accounts/ports.ts';
import { timeText } from './output.ts';

/** What the state of a key comes to, for people. */
export function keyState(record: KeyRecord, wallMs: number): string {
  if (record.revokedAtMs !== null) return 'revoked';
  if (record.disabledAtMs !== null) return 'disabled';
  if (record.expiresAtMs !== null && record.expiresAtMs <= wallMs) return 'expired';
  const live = record.secrets.filter(
    ({ expiresAtMs }) => expiresAtMs === null || expiresAtMs > wallMs,
  );
  return live.length > 1 ? 'rotating' : 'active';
}

export function keyFields(record: KeyRecord): (readonly [string, string])[] {
  return [
    ['id', record.id],
    ['name', record.name],
    ['organization', record.organizationId],
    ['owner', record.ownerId ?? '-'],
    ['environment', record.environment],
    ['scopes', record.scopes.join(' ') || '-'],
    ['plan', record.plan ?? '-'],
    ['allowed', record.allowedCidrs.join(' ') || 'any address'],
    ['created', timeText(record.createdAtMs)],
    ['expires', timeText(record.expiresAtMs)],
    ['disabled', timeText(record.disabledAtMs)],
    ['revoked', timeText(record.revokedAtMs)],
    ['last used', timeText(record.lastUsedAtMs)],
  ];
}

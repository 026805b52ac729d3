import type { KeyRecord, SecretRecord } from '../accounts/ports.ts';
import { timeText } from './output.ts';

/** What the state of a key comes to, for people. Its owner or organization may be disabled all the same. */
export function keyState(record: KeyRecord, wallMs: number): string {
  if (record.revokedAtMs !== null) return 'revoked';
  if (record.disabledAtMs !== null) return 'disabled';
  if (record.expiresAtMs !== null && record.expiresAtMs <= wallMs) return 'expired';
  const live = liveSecrets(record, wallMs);
  if (live.length === 0) return 'expired';
  return live.length > 1 ? 'rotating' : 'active';
}

export function liveSecrets({ secrets }: KeyRecord, wallMs: number): readonly SecretRecord[] {
  return secrets.filter(({ expiresAtMs }) => expiresAtMs === null || expiresAtMs > wallMs);
}

type Fields = (readonly [string, string])[];

export function keyFields(record: KeyRecord): Fields {
  return [
    ['id', record.id],
    ['name', record.name],
    ['organization', record.organizationId],
    ['owner', record.ownerId ?? '-'],
    ['environment', record.environment],
    ['scopes', record.scopes.join(' ') || '-'],
    ['plan', record.plan ?? '-'],
    ['addresses', record.allowedCidrs.join(' ') || 'any'],
    ['expires', timeText(record.expiresAtMs)],
  ];
}

/** What a new key has none of yet. */
export function keyHistory(record: KeyRecord): Fields {
  const { lastUsedAtMs, lastUsedAddress } = record;
  const from = lastUsedAddress === null ? '' : ` from ${lastUsedAddress}`;
  return [
    ['metadata', JSON.stringify(record.metadata)],
    ['created', timeText(record.createdAtMs)],
    ['disabled', timeText(record.disabledAtMs)],
    ['revoked', timeText(record.revokedAtMs)],
    ['last used', `${timeText(lastUsedAtMs)}${from}`],
    ...record.secrets.map(
      (secret) =>
        [
          'secret',
          `${secret.start}…  created ${timeText(secret.createdAtMs)}  ends ${timeText(secret.expiresAtMs)}`,
        ] as const,
    ),
  ];
}

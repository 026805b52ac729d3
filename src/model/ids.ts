import type { Brand } from './brand.ts';

/** The public id of an API key: part of its text, safe in logs and lists. */
export type KeyId = Brand<string, 'KeyId'>;
export type UserId = Brand<string, 'UserId'>;
export type OrganizationId = Brand<string, 'OrganizationId'>;

/**
 * What a change hits: `key:<KeyId>` or `user:<UserId>`. Every secret, session and token that acts as a subject is
 * found through it, so one change reaches all of them.
 */
export type SubjectId = Brand<string, 'SubjectId'>;

/** SHA-256 of a credential's whole text, base64url without padding (43 characters). Never the text itself. */
export type Digest = Brand<string, 'Digest'>;

export const keySubject = (id: KeyId): SubjectId => `key:${id}` as SubjectId;
export const userSubject = (id: UserId): SubjectId => `user:${id}` as SubjectId;

import { Buffer } from 'node:buffer';
import type { CidrList } from '../model/address.ts';
import type { Role, Subject } from '../model/subject.ts';

/**
 * Different values kept for sharing, of each sort. Shapes of keys are few (an organization's keys look alike); where they are
 * not, sharing would save nothing and the table only has to stay small.
 */
const SHARED_VALUES_MAX = 10_000;

const NO_SCOPES: readonly string[] = [];
const NO_CIDRS: CidrList = [];

/** Makes what many subjects have in common one object, so that a million keys of one shape hold it once. */
export class SubjectCompactor {
  readonly #texts = new SharedValues<string>();
  readonly #scopes = new SharedValues<readonly string[]>();
  readonly #cidrs = new SharedValues<CidrList>();

  /** An equal subject, without its derived principal. All have one hidden class. */
  compact(subject: Subject): Subject {
    return {
      id: flat(subject.id),
      keyId: flat(subject.keyId),
      name: flat(subject.name),
      environment: this.#text(subject.environment),
      scopes: this.#scopesOf(subject.scopes),
      plan: this.#textOrNull(subject.plan),
      organizationId: this.#text(subject.organizationId),
      organizationName: this.#text(subject.organizationName),
      organizationPlan: this.#textOrNull(subject.organizationPlan),
      organizationDisabledAtMs: subject.organizationDisabledAtMs,
      ownerId: subject.ownerId === null ? null : this.#text(subject.ownerId),
      ownerRole: this.#textOrNull<Role>(subject.ownerRole),
      ownerDisabledAtMs: subject.ownerDisabledAtMs,
      allowedCidrs: this.#cidrsOf(subject.allowedCidrs),
      expiresAtMs: subject.expiresAtMs,
      disabledAtMs: subject.disabledAtMs,
      revokedAtMs: subject.revokedAtMs,
      principal: undefined,
    };
  }

  #text<Text extends string>(text: Text): Text {
    // The table gives back an equal string: the brand or literal type of the asked one holds for it too.
    return this.#texts.share(text, () => flat(text)) as Text;
  }

  #textOrNull<Text extends string>(text: Text | null): Text | null {
    return text === null ? null : this.#text(text);
  }

  #scopesOf(scopes: readonly string[]): readonly string[] {
    if (scopes.length === 0) return NO_SCOPES;
    // Postgres' text cannot hold a NUL, so no two lists are joined to the same text.
    return this.#scopes.share(scopes.join('\0'), () => scopes.map((scope) => this.#text(scope)));
  }

  #cidrsOf(cidrs: CidrList): CidrList {
    if (cidrs.length === 0) return NO_CIDRS;
    const key = cidrs.map(({ words, prefixBits }) => `${words.join(',')}/${prefixBits}`).join(' ');
    return this.#cidrs.share(key, () => cidrs);
  }
}

/** Both compacted: what they share is compared by identity. The derived principal does not count. */
export function sameSubject(a: Subject, b: Subject): boolean {
  return (
    a.id === b.id &&
    a.keyId === b.keyId &&
    a.name === b.name &&
    a.environment === b.environment &&
    a.scopes === b.scopes &&
    a.plan === b.plan &&
    a.organizationId === b.organizationId &&
    a.organizationName === b.organizationName &&
    a.organizationPlan === b.organizationPlan &&
    a.organizationDisabledAtMs === b.organizationDisabledAtMs &&
    a.ownerId === b.ownerId &&
    a.ownerRole === b.ownerRole &&
    a.ownerDisabledAtMs === b.ownerDisabledAtMs &&
    a.allowedCidrs === b.allowedCidrs &&
    a.expiresAtMs === b.expiresAtMs &&
    a.disabledAtMs === b.disabledAtMs &&
    a.revokedAtMs === b.revokedAtMs
  );
}

class SharedValues<Value> {
  readonly #values = new Map<string, Value>();

  share(key: string, make: () => Value): Value {
    const known = this.#values.get(key);
    if (known !== undefined) return known;
    // Started over rather than closed: what was common an hour ago must not keep out what is common now.
    if (this.#values.size >= SHARED_VALUES_MAX) this.#values.clear();
    const value = make();
    this.#values.set(flat(key), value);
    return value;
  }
}

/**
 * The same text as a string of its own. A string that was put together (`key:${id}`) or cut out of another keeps its parts
 * alive, which for a cached subject means for hours.
 */
function flat<Text extends string>(text: Text): Text {
  // Equal by value, so the brand holds.
  return Buffer.from(text, 'utf8').toString('utf8') as Text;
}

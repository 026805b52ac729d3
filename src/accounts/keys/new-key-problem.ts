import { unstorable } from '../fields.ts';
import type { NewKeyProblem } from '../ports.ts';
import { type Refusal, refusal } from '../result.ts';

export function newKeyRefusal(problem: NewKeyProblem): Refusal {
  switch (problem.kind) {
    case 'id_taken':
      return refusal('conflict', 'A key with this id exists already.');
    case 'digest_taken':
      return refusal('conflict', 'A key with this very text exists already.');
    case 'organization_absent':
      return refusal('not_found', 'There is no such organization.');
    case 'owner_absent':
      return refusal('not_found', 'There is no such user in this organization.');
    case 'invalid_cidr':
      return refusal('invalid', `${JSON.stringify(problem.cidr)} is not an address block.`);
    case 'unstorable_text':
      return unstorable(problem);
  }
}

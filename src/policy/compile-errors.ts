import { DENIAL_REASONS, type DenialReason, denialRow } from '../model/denials.ts';
import type { BodyTemplate, ErrorFormat } from '../model/policy.ts';
import { compileBodyTemplate } from './body-template.ts';
import type { Findings } from './findings.ts';
import { didYouMean } from './problem.ts';
import type { PolicyFile } from './schema.ts';

/** Bodies of denials. A template for a code is one for all of its reasons; one for a reason wins over it. */
export function compileErrors(entry: PolicyFile['errors'], findings: Findings): ErrorFormat {
  if (entry.format === 'problem') return { kind: 'problem' };
  const byCode = new Map<DenialReason, BodyTemplate>();
  const byReason = new Map<DenialReason, BodyTemplate>();
  for (const [name, value] of Object.entries(entry.reasons)) {
    const path = ['errors', 'reasons', name];
    const template = compileBodyTemplate(value, path, findings);
    const ofCode = DENIAL_REASONS.filter((reason) => denialRow(reason).code === name);
    const reason = DENIAL_REASONS.find((known) => known === name);
    for (const each of ofCode) byCode.set(each, template);
    if (reason !== undefined) {
      const code = sharedCode(reason);
      if (code === undefined || code === name) byReason.set(reason, template);
      else
        findings.error(
          path,
          `${name} looks to clients like other reasons of the code ${code}, so that they learn nothing from the difference; use ${code}.`,
        );
    } else if (ofCode.length === 0) {
      const codes = [...new Set(DENIAL_REASONS.map((each) => denialRow(each).code))];
      const near = didYouMean(name, [...codes, ...DENIAL_REASONS]);
      const advice = near === '' ? ` The codes are ${codes.join(', ')}.` : near;
      const message = `no denial has this code or reason.${advice}`;
      findings.error(path, message);
    }
  }
  return {
    kind: 'template',
    contentType: entry.content_type,
    fallback: compileBodyTemplate(entry.default, ['errors', 'default'], findings),
    byReason: new Map([...byCode, ...byReason]),
  };
}

/** The code of a reason that a client must not be able to tell from another; `undefined`: it stands alone. */
function sharedCode(reason: DenialReason): string | undefined {
  const row = denialRow(reason);
  const isAlike = DENIAL_REASONS.some((other) => {
    const { code, text } = denialRow(other);
    return other !== reason && code === row.code && text === row.text;
  });
  return isAlike ? row.code : undefined;
}

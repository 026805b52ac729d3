import { normalisePath } from '../model/path.ts';

export type TemplatePart =
  | { readonly kind: 'literal'; readonly segment: string }
  | { readonly kind: 'parameter'; readonly name: string }
  /** `**`, at the end only. */
  | { readonly kind: 'rest' };

export type TemplateReading =
  | { readonly kind: 'template'; readonly parts: readonly TemplatePart[] }
  | { readonly kind: 'invalid'; readonly message: string };

const PARAMETER = /^\{([A-Za-z_][A-Za-z0-9_]*)\}$/;

const invalid = (message: string): TemplateReading => ({ kind: 'invalid', message });

/**
 * `/v1/scans/{id}` → its parts. Literals take the spelling that requests are matched in, so a template may be written
 * with or without escapes.
 */
export function readTemplate(template: string): TemplateReading {
  if (!template.startsWith('/')) return invalid('a path begins with "/".');
  if (/[?#]/.test(template)) return invalid('only the path is matched; remove the query.');
  const parts: TemplatePart[] = [];
  const names = new Set<string>();
  const texts = template.slice(1).split('/');
  for (const [index, text] of texts.entries()) {
    const isLast = index === texts.length - 1;
    const part = readPart(text, isLast);
    if (typeof part === 'string') return invalid(part);
    if (part.kind === 'parameter') {
      if (names.has(part.name))
        return invalid(`{${part.name}} stands twice; name each differently.`);
      names.add(part.name);
    }
    parts.push(part);
  }
  return { kind: 'template', parts };
}

/** The part, or what is wrong with it. */
function readPart(text: string, isLast: boolean): TemplatePart | string {
  if (text === '**') return isLast ? { kind: 'rest' } : '"**" can only be the last segment.';
  if (text.includes('*')) {
    return `"${text}": "*" stands for nothing within a segment; use {name} for one segment, or "**" at the end.`;
  }
  const name = PARAMETER.exec(text)?.[1];
  if (name !== undefined) return { kind: 'parameter', name };
  if (/[{}]/.test(text)) {
    return `"${text}": a parameter is a whole segment, {name} with letters, digits and "_"; a brace itself is written %7B or %7D.`;
  }
  if (text === '' && !isLast) return '"//" matches no request; remove the empty segment.';
  const segment = literalSegment(text);
  if (segment === undefined) {
    return `"${text}" matches no request: it holds a dot segment, a space, "\\", ";", a control character or an escape that requests must not hold.`;
  }
  return { kind: 'literal', segment };
}

function literalSegment(text: string): string | undefined {
  let encoded: string;
  try {
    encoded = text.replace(/[^\u0000-\u007f]+/g, encodeURIComponent);
  } catch {
    // Half of a surrogate pair: no character.
    return undefined;
  }
  const path = normalisePath(`/${encoded}`);
  return path.kind === 'path' ? path.segments[0] : undefined;
}

/** Two templates of the same shape match the same paths: names of parameters do not count. */
export function templateShape(parts: readonly TemplatePart[]): string {
  return parts.map((part) => `/${shapeOf(part)}`).join('');
}

function shapeOf(part: TemplatePart): string {
  switch (part.kind) {
    case 'literal':
      return part.segment;
    case 'parameter':
      return '{}';
    case 'rest':
      return '**';
  }
}

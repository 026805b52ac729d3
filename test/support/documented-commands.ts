/** One command that a page tells its reader to type. */
export interface DocumentedCommand {
  /** The page's own line, from 1, for messages. */
  readonly line: number;
  readonly text: string;
}

/** What stands in fenced `sh` blocks, and inline code that begins with `npm` or `latchkey`, in the page's order. */
export function documentedCommands(page: string): readonly DocumentedCommand[] {
  const found: DocumentedCommand[] = [];
  let fence: string | undefined;
  for (const [index, text] of page.split('\n').entries()) {
    const line = index + 1;
    const opened = /^\s*```(\w*)/.exec(text);
    if (opened !== null) {
      fence = fence === undefined ? opened[1] : undefined;
      continue;
    }
    if (fence === 'sh') found.push(...commandsOf(text).map((each) => ({ line, text: each })));
    if (fence !== undefined) continue;
    for (const [, inline] of text.matchAll(/`((?:npm|latchkey) [^`]+)`/g)) {
      found.push(...commandsOf(inline ?? '').map((each) => ({ line, text: each })));
    }
  }
  return found;
}

/** Without the comment at its end; `a && b` is two. A line that is something else is kept, so that it is noticed. */
function commandsOf(text: string): string[] {
  return text
    .replace(/(^|\s)#.*$/, '')
    .split('&&')
    .map((part) => part.trim())
    .filter((part) => part !== '');
}

/** The first fenced block of a language. */
export function fencedBlock(page: string, language: string): string {
  const found = new RegExp(`^( *)\`\`\`${language}\n([\\s\\S]*?)^ *\`\`\``, 'm').exec(page);
  if (found === null) throw new Error(`the page has no ${language} block`);
  const [, indent = '', block = ''] = found;
  return block.replaceAll(new RegExp(`^${indent}`, 'gm'), '');
}

/** As a shell splits a line without quotes or variables. */
export function words(text: string): string[] {
  return text.split(/\s+/);
}

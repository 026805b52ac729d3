const mark = (section: string): string => `<!-- bench:${section} -->`;
const END = '<!-- /bench -->';

/**
 * The document with the text of some sections replaced: what stands between `<!-- bench:NAME -->` and the next `<!-- /bench -->`.
 * @throws Error naming the section whose marks are missing.
 */
export function replaceSections(document: string, sections: ReadonlyMap<string, string>): string {
  let text = document;
  for (const [section, body] of sections) {
    const start = text.indexOf(mark(section));
    const end = text.indexOf(END, start);
    if (start < 0 || end < 0) {
      throw new Error(`the document has no ${mark(section)} … ${END}`);
    }
    text = `${text.slice(0, start)}${mark(section)}\n\n${body}\n\n${text.slice(end)}`;
  }
  return text;
}

import type { Answer, HeaderLine, MetadataField, OkAnswer } from '../../src/model/answer.ts';

/** An allow with what stands in it and what is its own put together, as Envoy gets it. */
export interface WholeAllow {
  readonly requestHeaders: readonly HeaderLine[];
  readonly removeRequestHeaders: readonly string[];
  readonly metadata: readonly MetadataField[];
}

export function wholeAllow({ standing, ...own }: OkAnswer): WholeAllow {
  return {
    requestHeaders: [...standing.requestHeaders, ...own.requestHeaders],
    removeRequestHeaders: [...standing.removeRequestHeaders, ...own.removeRequestHeaders],
    metadata: [...own.metadata, ...standing.metadata],
  };
}

export function wholeMetadata(answer: Answer): readonly MetadataField[] {
  return answer.kind === 'ok' ? wholeAllow(answer).metadata : answer.metadata;
}

/** `perSecond` tokens flow in, up to `burst`. A plain object, so that thousands of them stay small. */
export interface TokenBucket {
  tokens: number;
  filledAtMs: number;
}

export interface TokenRate {
  readonly perSecond: number;
  readonly burst: number;
}

export function fullBucket(rate: TokenRate, monoMs: number): TokenBucket {
  return { tokens: rate.burst, filledAtMs: monoMs };
}

/** 0: a token was taken. Otherwise the milliseconds until there will be one; nothing was taken. */
export function takeToken(bucket: TokenBucket, rate: TokenRate, monoMs: number): number {
  const elapsedMs = Math.max(0, monoMs - bucket.filledAtMs);
  bucket.tokens = Math.min(rate.burst, bucket.tokens + (elapsedMs * rate.perSecond) / 1000);
  bucket.filledAtMs = Math.max(bucket.filledAtMs, monoMs);
  if (bucket.tokens >= 1) {
    bucket.tokens -= 1;
    return 0;
  }
  return Math.ceil(((1 - bucket.tokens) * 1000) / rate.perSecond);
}

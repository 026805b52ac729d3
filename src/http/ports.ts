/** What /readyz tells. lifecycle.ts has the same shape. */
export interface ReadinessReport {
  /** `degraded` still serves: an operator should look, but traffic must not be taken away. */
  readonly state: 'ready' | 'degraded' | 'not_ready';
  readonly parts: readonly {
    readonly name: string;
    readonly state: 'ready' | 'degraded' | 'not_ready';
    /** No secret, nothing of a client's. */
    readonly reason?: string;
    /** Milliseconds since the Unix epoch. */
    readonly sinceMs: number;
  }[];
}

/** How an exchange ended: enough was read, the other side closed, or time was up: before the connection stood, or after. */
export type ExchangeEnd = "enough" | "closed" | "unreached" | "timeout";

export interface ExchangeOptions {
  timeoutMs: number;
  /** Called with each piece that comes, which is the dialer's again once it returns; throws nothing. */
  onData?(piece: Buffer): "more" | "enough";
}

/**
 * TCP connections that are made for one exchange and closed after it, as probes make them by the thousand.
 *
 * - Addresses only: no name is looked up. One who dials often does so with the same object, of which much is known then.
 * - Without a request an exchange is over, with `enough`, when the connection stands.
 * - A connection that does not come about rejects with a {@link DialError}.
 */
export interface Dialer {
  exchange(
    to: { host: string; port: number },
    request: Buffer | undefined,
    options: ExchangeOptions,
  ): Promise<ExchangeEnd>;
  close(): void;
}

/** As Node's own errors of sockets: `code` is the errno's name. */
export class DialError extends Error {
  override name = "DialError";
  readonly code: string;
  readonly address: string;
  readonly port: number;
  constructor(code: string, to: { host: string; port: number }) {
    super(`connect ${code} ${to.host}:${to.port}`);
    this.code = code;
    this.address = to.host;
    this.port = to.port;
  }
}

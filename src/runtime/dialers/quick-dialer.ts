import type { Clock, Timer } from "../../base/index.ts";
import { DialError, type Dialer, type ExchangeEnd, type ExchangeOptions } from "../dialer.ts";
import { familyIPv4, familyIPv6, isIPv6, socketAddress } from "./socket-address.ts";
import { epollEvent, type TcpCalls } from "./tcp-calls.ts";

const readable = 1;
const writable = 4;
/** How many connections are looked at each time the kernel has news of some. */
const eventsMax = 128;
/**
 * Most answers are there within some milliseconds, in the order in which they were asked for: connections are just read
 * after so long, again and again, and a few that have nothing to say end the round. No other way costs as few calls.
 */
const looksMs = [1, 2, 4, 8, 16, 32] as const;
const silentMax = 8;
/** An answer that takes longer is waited for by a thread, on an epoll instance. */
const quickMs = 60;
/** The thread that waits comes back at least this often, so that it can end. */
const waitMs = 1_000;
const pieceBytesMax = 16 * 1_024;

type State = "connecting" | "sending" | "receiving" | "over";

interface Exchange {
  readonly fd: number;
  readonly to: { host: string; port: number };
  readonly address: Buffer;
  readonly request: Buffer | undefined;
  readonly onData: ExchangeOptions["onData"];
  readonly beganMs: number;
  /** When time is up. */
  readonly untilMs: number;
  readonly resolve: (end: ExchangeEnd) => void;
  readonly reject: (error: DialError) => void;
  state: State;
  sentBytes: number;
}

/** On system calls: no stream, no handle and no callback object a connection. */
export class QuickDialer implements Dialer {
  readonly #calls: TcpCalls;
  readonly #clock: Clock;
  readonly #epoll: number;
  readonly #addresses = new WeakMap<object, Buffer>();
  readonly #events = Buffer.alloc(eventsMax * epollEvent.bytes);
  readonly #piece = Buffer.alloc(pieceBytesMax);
  /** Looked at again soon, the oldest first. */
  #quick: Exchange[] = [];
  /** Waited for by the thread, by descriptor. */
  readonly #slow = new Map<number, Exchange>();
  #isLooking = false;
  #isWaiting = false;
  #timer: Timer | undefined;
  #timerAtMs = Number.POSITIVE_INFINITY;
  #isClosed = false;

  constructor(calls: TcpCalls, clock: Clock) {
    this.#calls = calls;
    this.#clock = clock;
    this.#epoll = calls.epoll();
  }

  exchange(
    to: { host: string; port: number },
    request: Buffer | undefined,
    { timeoutMs, onData }: ExchangeOptions,
  ): Promise<ExchangeEnd> {
    return new Promise((resolve, reject) => {
      const fd = this.#isClosed ? "ECANCELED" : this.#calls.socket(isIPv6(to.host) ? familyIPv6 : familyIPv4);
      if (typeof fd === "string") {
        reject(new DialError(fd, to));
        return;
      }
      const address = this.#addressOf(to);
      const beganMs = this.#clock.monotonicMs();
      const untilMs = beganMs + timeoutMs;
      const state = "connecting";
      this.#begin({
        fd,
        to,
        address,
        request,
        onData,
        beganMs,
        untilMs,
        resolve,
        reject,
        state,
        sentBytes: 0,
      });
    });
  }

  close(): void {
    this.#isClosed = true;
    this.#timer?.cancel();
    for (const exchange of [...this.#quick, ...this.#slow.values()]) this.#end(exchange, "closed");
    if (!this.#isWaiting) this.#calls.close(this.#epoll);
  }

  #addressOf(to: { host: string; port: number }): Buffer {
    let address = this.#addresses.get(to);
    if (!address) {
      address = socketAddress(to);
      this.#addresses.set(to, address);
    }
    return address;
  }

  #begin(exchange: Exchange): void {
    const answer = this.#calls.connect(exchange.fd, exchange.address);
    if (answer === "done" || answer === "EINPROGRESS") this.#advance(exchange);
    else this.#end(exchange, new DialError(answer, exchange.to));
    if (exchange.state === "over") return;
    this.#quick.push(exchange);
    this.#endBy(exchange.untilMs);
    if (!this.#isLooking) this.#lookSoon(0);
  }

  #end(exchange: Exchange, end: ExchangeEnd | DialError): void {
    if (exchange.state === "over") return;
    exchange.state = "over";
    this.#slow.delete(exchange.fd);
    this.#calls.close(exchange.fd);
    if (typeof end === "string") exchange.resolve(end);
    else exchange.reject(end);
  }

  /** One timer for all, which what ends in time seldom touches. */
  #endBy(untilMs: number): void {
    if (untilMs >= this.#timerAtMs) return;
    this.#timer?.cancel();
    this.#timerAtMs = untilMs;
    this.#timer = this.#clock.after(untilMs - this.#clock.monotonicMs(), () => this.#endLate());
  }

  #endLate(): void {
    this.#timerAtMs = Number.POSITIVE_INFINITY;
    const nowMs = this.#clock.monotonicMs();
    let nextMs = Number.POSITIVE_INFINITY;
    for (const exchange of [...this.#quick, ...this.#slow.values()]) {
      if (exchange.state === "over") continue;
      if (exchange.untilMs > nowMs) nextMs = Math.min(nextMs, exchange.untilMs);
      else this.#end(exchange, exchange.state === "connecting" ? "unreached" : "timeout");
    }
    if (nextMs < Number.POSITIVE_INFINITY) this.#endBy(nextMs);
  }

  /** As far as it goes without waiting: within a host, connections stand at once. Whether there was any progress. */
  #advance(exchange: Exchange): boolean {
    switch (exchange.state) {
      case "connecting":
      case "sending":
        return exchange.request ? this.#send(exchange, exchange.request) : this.#settleConnected(exchange);
      case "receiving":
        return this.#receive(exchange);
      case "over":
        return true;
    }
  }

  /** Asked again, the kernel tells what became of the connection. */
  #settleConnected(exchange: Exchange): boolean {
    const answer = this.#calls.connect(exchange.fd, exchange.address);
    if (answer === "EALREADY" || answer === "EINPROGRESS") return false;
    const stands = answer === "done" || answer === "EISCONN";
    this.#end(exchange, stands ? "enough" : new DialError(answer, exchange.to));
    return true;
  }

  /** What is sent over a connection that does not stand yet has to be sent again; or one hears why it does not stand. */
  #send(exchange: Exchange, request: Buffer): boolean {
    const { fd, sentBytes } = exchange;
    const sent = this.#calls.send(fd, sentBytes === 0 ? request : request.subarray(sentBytes));
    if (typeof sent === "string") {
      if (sent === "EAGAIN") return false;
      this.#end(exchange, new DialError(sent, exchange.to));
      return true;
    }
    exchange.sentBytes += sent;
    exchange.state = exchange.sentBytes === request.length ? "receiving" : "sending";
    return true;
  }

  #receive(exchange: Exchange): boolean {
    for (let pieces = 0; ; pieces++) {
      const read = this.#calls.receive(exchange.fd, this.#piece);
      if (typeof read === "string") {
        if (read === "EAGAIN") return pieces > 0;
        this.#end(exchange, new DialError(read, exchange.to));
        return true;
      }
      if (read === 0) {
        this.#end(exchange, "closed");
        return true;
      }
      if (exchange.onData?.(this.#piece.subarray(0, read)) === "enough") {
        this.#end(exchange, "enough");
        return true;
      }
    }
  }

  #lookSoon(time: number): void {
    this.#isLooking = true;
    this.#clock.after(looksMs[Math.min(time, looksMs.length - 1)]!, () => {
      if (this.#isClosed) return;
      this.#look();
      this.#isLooking = this.#quick.length > 0;
      if (this.#isLooking) this.#lookSoon(time + 1);
    });
  }

  #look(): void {
    const looked = this.#quick;
    this.#quick = [];
    const oldMs = this.#clock.monotonicMs() - quickMs;
    let silent = 0;
    for (const exchange of looked) {
      if (exchange.state === "over") continue;
      const isOld = exchange.beganMs <= oldMs;
      if ((isOld || silent < silentMax) && !this.#advance(exchange)) silent++;
      if ((exchange.state as State) === "over") continue;
      if (isOld) this.#waitFor(exchange);
      else this.#quick.push(exchange);
    }
  }

  #waitFor(exchange: Exchange): void {
    this.#slow.set(exchange.fd, exchange);
    this.#calls.watch(this.#epoll, exchange.fd, wantedOf(exchange));
    if (!this.#isWaiting) this.#wait();
  }

  #wait(): void {
    this.#isWaiting = true;
    this.#calls.wait(this.#epoll, this.#events, eventsMax, waitMs, (count) => {
      if (this.#isClosed) {
        this.#calls.close(this.#epoll);
        return;
      }
      for (let i = 0; i < count; i++)
        this.#heard(this.#events.readInt32LE(i * epollEvent.bytes + epollEvent.dataAt));
      this.#isWaiting = this.#slow.size > 0;
      if (this.#isWaiting) this.#wait();
    });
  }

  /** The descriptor may have been closed since, and even be another connection's: that one finds nothing to do. */
  #heard(fd: number): void {
    const exchange = this.#slow.get(fd);
    if (!exchange) return;
    const before = wantedOf(exchange);
    this.#advance(exchange);
    if (exchange.state !== "over" && wantedOf(exchange) !== before)
      this.#calls.rewatch(this.#epoll, fd, wantedOf(exchange));
  }
}

const wantedOf = ({ state }: Exchange) => (state === "receiving" ? readable : writable);

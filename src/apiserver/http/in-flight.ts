import { tooManyRequests } from "../../machinery/index.ts";
import { readsInFlightMax, retryAfterS, writesInFlightMax } from "../limits.ts";

/**
 * Requests under way, reads and writes apart, so that neither starves the other. As `filters.WithMaxInFlightLimit`; but a
 * write counts only once its body is there, so that slow clients do not keep the others out.
 */
export class InFlight {
  #reads = 0;
  #writes = 0;

  /** Returns the way to leave; throws a 429 when there are too many. */
  enter(kind: "read" | "write"): () => void {
    if (kind === "read" ? this.#reads >= readsInFlightMax : this.#writes >= writesInFlightMax) {
      throw tooManyRequests("Too many requests, please try again later.", retryAfterS);
    }
    if (kind === "read") this.#reads++;
    else this.#writes++;
    return kind === "read" ? this.#leaveRead : this.#leaveWrite;
  }

  get current(): { reads: number; writes: number } {
    return { reads: this.#reads, writes: this.#writes };
  }

  readonly #leaveRead = () => {
    this.#reads--;
  };
  readonly #leaveWrite = () => {
    this.#writes--;
  };
}

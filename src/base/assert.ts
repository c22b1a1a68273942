/** A broken invariant of Peapod's own: never a client's fault, and never caught to go on. */
export class InvariantError extends Error {
  override name = "InvariantError";
}

/** Crashes with `message` when `condition` is false. */
export function assert(condition: unknown, message: string): asserts condition {
  if (!condition) throw new InvariantError(message);
}

/** For the `default` of a switch over a union: a case was forgotten. */
export function unreachable(value: never): never {
  throw new InvariantError(`unreachable: ${JSON.stringify(value)}`);
}

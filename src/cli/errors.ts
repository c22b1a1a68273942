/** What went wrong, in a sentence for the person at the terminal; never a stack trace. */
export class UserError extends Error {
  override name = "UserError";
  readonly exitCode: number;
  /** What to do about it, on a line of its own. */
  readonly remedy: string | undefined;

  constructor(message: string, options: { exitCode?: number; remedy?: string; cause?: unknown } = {}) {
    super(message, { cause: options.cause });
    this.exitCode = options.exitCode ?? exitCodes.failure;
    this.remedy = options.remedy;
  }
}

/** The exit codes of the command line; 77 is `EX_NOPERM` of sysexits.h. */
export const exitCodes = { failure: 1, usage: 2, notRunning: 3, notPermitted: 77 } as const;

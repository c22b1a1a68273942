/** As Go's time.Duration; apart from plain numbers, so that nobody takes it for seconds. */
export interface Duration {
  ms: number;
}

const unitMs: Readonly<Record<string, number>> = {
  ns: 1e-6,
  us: 1e-3,
  µs: 1e-3,
  μs: 1e-3,
  ms: 1,
  s: 1_000,
  m: 60_000,
  h: 3_600_000,
};

const onePart = /(\d+\.?\d*|\.\d+)(ns|us|µs|μs|ms|s|m|h)/y;

/** As Go's time.ParseDuration: `1h30m`, `1.5s`, `0`; undefined for what is none. */
export function parseDuration(text: string): Duration | undefined {
  const [, sign, rest] = /^([+-]?)(.*)$/.exec(text)!;
  if (rest === "0") return { ms: 0 };
  let ms = 0;
  let at = 0;
  while (at < rest!.length) {
    onePart.lastIndex = at;
    const part = onePart.exec(rest!);
    if (!part) return undefined;
    ms += Number(part[1]) * unitMs[part[2]!]!;
    at = onePart.lastIndex;
  }
  return at === 0 ? undefined : { ms: sign === "-" ? -ms : ms };
}

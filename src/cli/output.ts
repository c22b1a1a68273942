/** Where a command writes, and whether a person watches. */
export interface Terminal {
  out: NodeJS.WritableStream;
  err: NodeJS.WritableStream;
  /** Colours and spinners only for a person: a terminal, and no NO_COLOR. */
  interactive: boolean;
  colour: boolean;
}

export function terminal(env: NodeJS.ProcessEnv): Terminal {
  const interactive = Boolean(process.stdout.isTTY) && env.TERM !== "dumb" && !env.CI;
  return {
    out: process.stdout,
    err: process.stderr,
    interactive,
    colour: Boolean(process.stdout.isTTY) && env.TERM !== "dumb" && (env.NO_COLOR ?? "") === "",
  };
}

type Style = "bold" | "dim" | "red" | "green" | "yellow" | "cyan";
const codes: Record<Style, [number, number]> = {
  bold: [1, 22],
  dim: [2, 22],
  red: [31, 39],
  green: [32, 39],
  yellow: [33, 39],
  cyan: [36, 39],
};

export function styled(term: Terminal, style: Style, text: string): string {
  if (!term.colour) return text;
  const [on, off] = codes[style];
  return `\u001b[${on}m${text}\u001b[${off}m`;
}

/** Columns padded to their widest cell, three spaces apart, as kubectl prints. */
export function table(rows: readonly (readonly string[])[]): string {
  const widths: number[] = [];
  for (const row of rows) {
    for (const [i, cell] of row.entries()) widths[i] = Math.max(widths[i] ?? 0, cell.length);
  }
  return rows
    .map((row) =>
      row
        .map((cell, i) => (i === row.length - 1 ? cell : cell.padEnd(widths[i]!)))
        .join("   ")
        .trimEnd(),
    )
    .join("\n");
}

/** `15.2MB`, powers of ten, as container tools show sizes. */
export function humanBytes(bytes: number): string {
  const units = ["B", "kB", "MB", "GB", "TB"];
  let value = bytes;
  let unit = 0;
  while (value >= 1000 && unit < units.length - 1) {
    value /= 1000;
    unit++;
  }
  return `${unit === 0 ? value : value.toFixed(value < 10 ? 2 : 1)}${units[unit]}`;
}

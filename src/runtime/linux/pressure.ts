import type { Pressure, Stalls } from "../contract.ts";

/** `some avg10=0.00 avg60=0.00 avg300=0.00 total=0`, and a line of `full`. Undefined for what is no such file. */
export function parsePressure(text: string | undefined): Pressure | undefined {
  const some = stallsOf(text, "some");
  if (!some) return undefined;
  // Before Linux 5.13 processors have no such line.
  return { some, full: stallsOf(text, "full") ?? { avg10: 0, avg60: 0, avg300: 0, totalUs: 0 } };
}

function stallsOf(text: string | undefined, kind: "some" | "full"): Stalls | undefined {
  const line = new RegExp(`^${kind} avg10=(\\S+) avg60=(\\S+) avg300=(\\S+) total=(\\d+)$`, "m").exec(
    text ?? "",
  );
  if (!line) return undefined;
  const [avg10, avg60, avg300, totalUs] = line.slice(1).map(Number) as [number, number, number, number];
  return { avg10, avg60, avg300, totalUs };
}
